//! The generator's reviewed output for two operations; `UPDATE_SNAPSHOTS=1` rewrites it. The server's tests compile it.

use std::fs;
use std::path::Path;

use codegen::allowlist::ToolsetEntry;
use codegen::document::load::load;
use codegen::generate;

/// One with its argument in the path, one with a body.
const TOOLS: [&str; 2] = ["contacts_get-contact", "contacts_add-tags"];

#[test]
fn two_operations_are_written_as_reviewed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = load(&root.join("../openapi")).expect("openapi loads");
    let toolset = ToolsetEntry {
        description: "Two tools.".to_owned(),
        tools: TOOLS.map(str::to_owned).to_vec(),
    };
    sources.allowlist.toolsets = [("two".to_owned(), toolset)].into();
    let generation = generate(&sources).expect("a generation");
    let golden = root.join("tests/golden/two.rs.golden");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&golden, &generation.rust).expect("written");
    }
    let reviewed = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        generation.rust == reviewed,
        "the generated code differs from {}; read what UPDATE_SNAPSHOTS=1 changes",
        golden.display()
    );
}
