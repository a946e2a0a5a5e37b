//! Generated texts of the documentation are those of today's registry.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use codegen::docs::{documentation, drift};
use codegen::document::load::load;
use codegen::generation::generate;

#[test]
fn generated_texts_are_up_to_date() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let sources = load(&root.join("openapi")).expect("openapi loads");
    let generation = generate(&sources).expect("a generation");
    let files = documentation(root, &sources, &generation);
    let problems = drift(&files.unwrap_or_else(|errors| panic!("{errors}")));
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{told:#?}");
}
