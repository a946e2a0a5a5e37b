//! The house rules that a machine can check.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file with more lines is a fault.
const LONGEST: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the project with its text.
fn files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = [
        "src",
        "crates",
        "codegen/src",
        "codegen/tests",
        "tests",
        "benches",
    ]
    .map(|folder| root().join(folder))
    .to_vec();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a file");
                files.push((path, text));
            }
        }
    }
    files.push((
        root().join("build.rs"),
        fs::read_to_string(root().join("build.rs")).expect("a file"),
    ));
    files
}

fn offenders(broken: impl Fn(&Path, &str) -> bool) -> Vec<String> {
    let root = root();
    files()
        .into_iter()
        .map(|(path, text)| (path.strip_prefix(&root).expect("inside").to_owned(), text))
        .filter(|(path, text)| broken(path, text))
        .map(|(path, _)| path.display().to_string())
        .collect()
}

#[test]
fn every_file_opens_with_its_purpose() {
    let none: Vec<String> = Vec::new();
    assert_eq!(offenders(|_, text| !text.starts_with("//! ")), none);
}

#[test]
fn no_file_is_too_long() {
    let none: Vec<String> = Vec::new();
    assert_eq!(offenders(|_, text| text.lines().count() > LONGEST), none);
}

#[test]
fn no_file_is_named_for_nothing() {
    let vague = ["utils", "helpers", "common", "manager", "misc"];
    let none: Vec<String> = Vec::new();
    assert_eq!(
        offenders(|path, _| path.components().any(|step| vague
            .iter()
            .any(|word| step.as_os_str().to_string_lossy().starts_with(word)))),
        none
    );
}

/// The modules that may name rmcp, axum, the environment, generated code, or the Rust printer.
#[test]
fn each_outside_thing_enters_in_one_place() {
    let rules: &[(&str, &[&str])] = &[
        ("rmcp::", &["src/mcp/", "src/mcp.rs"]),
        (
            "axum::",
            &[
                "src/http/",
                "src/http.rs",
                "crates/sandbox/src/server.rs",
                "crates/test-support/",
            ],
        ),
        (
            "env::var",
            &[
                "src/config.rs",
                "codegen/src/build.rs",
                "crates/sandbox/build/",
                "crates/test-services/",
            ],
        ),
        // It panics if a pipe is closed early; `cli::print` does not.
        (" println!(", &["codegen/src/", "crates/sandbox/build/"]),
        (" print!(", &["codegen/src/"]),
        ("include!(", &["src/catalog/generated.rs"]),
        ("prettyplease::", &["codegen/src/emit/format.rs"]),
        ("openapiv3::", &["codegen/src/client_generator.rs"]),
        ("progenitor::", &["codegen/src/client_generator.rs"]),
        // One place releases an operation's request, and one creates the type that is sent.
        ("authority().allow(", &["src/call/authorize.rs"]),
        (".transport().send(", &["src/call/send.rs"]),
        ("http.execute(", &["src/upstream/send.rs"]),
    ];
    for (word, places) in rules {
        let offenders = offenders(|path, text| {
            let path = path.to_string_lossy();
            let inside = ["src/", "codegen/src/", "crates/"]
                .iter()
                .any(|one| path.starts_with(one));
            inside
                && !path.ends_with("tests.rs")
                && !path.contains("/tests/")
                && text.contains(word)
                && !places.iter().any(|place| path.starts_with(place))
        });
        assert!(
            offenders.is_empty(),
            "{word} stands in {offenders:?}, not only in {places:?}"
        );
    }
}

/// Places where tests and benchmarks listen: the two fakes of `test-support` play HighLevel, and the others receive
/// other requests.
#[test]
fn nothing_but_the_two_fakes_plays_highlevel() {
    const WORDS: [&str; 5] = [
        "TcpListener",
        "UnixListener",
        ".listen(",
        "axum::serve",
        "http::listen",
    ];
    /// Each with its purpose.
    const PLACES: [(&str, &str); 6] = [
        (
            "crates/test-support/src/lib.rs",
            "every listener is made there",
        ),
        ("crates/test-support/src/recording.rs", "the fake over HTTP"),
        ("benches/relay.rs", "the bare relay to compare with"),
        ("tests/it/sandbox/mod.rs", "the sandbox on a free port"),
        ("tests/it/tidy.rs", "these words"),
        (
            "tests/soak/network.rs",
            "free ports, and proxies in front of a store",
        ),
    ];
    let is_test = |path: &str| {
        let folders = [
            "tests/",
            "benches/",
            "codegen/tests/",
            "crates/test-support/",
        ];
        folders.iter().any(|folder| path.starts_with(folder))
            || path.ends_with("tests.rs")
            || path.contains("/tests/")
    };
    let mut listeners = offenders(|path, text| {
        is_test(&path.to_string_lossy()) && WORDS.iter().any(|word| text.contains(word))
    });
    let mut places = PLACES.map(|(path, _)| path);
    listeners.sort();
    places.sort();
    assert_eq!(listeners, places);
}

/// No stage knows a document by name. `locations` may name a tenant, since that is about an argument.
#[test]
fn no_stage_knows_a_document_by_name() {
    let stems: Vec<String> = fs::read_dir(root().join("openapi/highlevel"))
        .expect("documents")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|stem| !matches!(stem.as_str(), "locations"))
        .collect();
    assert!(stems.len() > 30);
    let offenders = offenders(|path, text| {
        let path = path.to_string_lossy();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code: Vec<&str> = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        path.starts_with("codegen/src/")
            && !path.ends_with("tests.rs")
            && stems.iter().any(|stem| {
                code.iter()
                    .any(|line| line.contains(&format!("\"{stem}\"")))
            })
    });
    assert_eq!(offenders, Vec::<String>::new());
}

/// The list of scopes in docs/tools.md is the output of `tools scopes official`.
#[test]
fn the_page_of_tools_lists_the_scopes_that_they_need() {
    let page = fs::read_to_string(root().join("docs/tools.md")).expect("a page");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"))
        .args(["tools", "scopes", "official"])
        .output()
        .expect("run");
    let table = String::from_utf8(output.stdout).expect("text");
    let rows = table.lines().filter_map(|line| line.split_once('\t'));
    let scopes: String = rows
        .map(|(scope, tools)| format!("- `{scope}`: {tools}\n"))
        .collect();
    assert!(
        !scopes.is_empty() && page.contains(&scopes),
        "docs/tools.md has other scopes than:\n{scopes}"
    );
}

/// ARCHITECTURE.md lists the stages of a call in their order, and each is a module of `src/call/`.
#[test]
fn the_stages_of_a_call_are_those_that_are_written_down() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a text");
    let line = text
        .lines()
        .find(|line| line.starts_with("Request ─"))
        .expect("the line of the stages");
    let written: Vec<&str> = line
        .split('─')
        .map(|part| part.trim_start_matches('▶').trim())
        .filter(|part| part.chars().next().is_some_and(char::is_lowercase))
        .collect();
    let map = fs::read_to_string(root().join("src/call.rs")).expect("a module");
    // `execute` and its callees name each stage at the point where a call passes it.
    let mut from = map.find("async fn execute_one").expect("the walk");
    for stage in &written {
        let call = format!("self.{stage}(");
        let found = map[from..].find(&call);
        from +=
            found.unwrap_or_else(|| panic!("{stage} is not called after what stands before it"));
        let module = root().join(format!("src/call/{stage}.rs"));
        let module = fs::read_to_string(&module).unwrap_or_else(|_| panic!("{stage} is no module"));
        assert!(module.contains(&format!("fn {stage}(")), "{stage}");
        assert!(map.contains(&format!("mod {stage};")), "{stage}");
    }
    assert_eq!(written.len(), 6, "{written:?}");
}

/// SECURITY.md has a row for each kind of caller.
#[test]
fn every_kind_of_caller_has_its_row() {
    use highlevel_mcp::call::CallerKind;
    let text = fs::read_to_string(root().join("SECURITY.md")).expect("a text");
    for kind in CallerKind::ALL {
        let row = format!("| {} ", kind.rights().name);
        assert!(text.contains(&row), "there is no row {row:?}");
    }
}

/// Types of the program and the generator by name, with the files that define them. Types only in tests, and types that
/// a trait requires of an implementor, are left out.
fn types() -> BTreeMap<String, Vec<String>> {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in files() {
        let path = path
            .strip_prefix(root())
            .expect("inside")
            .display()
            .to_string();
        let is_test = path.starts_with("tests/") || path.contains("/tests");
        if is_test || path.starts_with("benches/") {
            continue;
        }
        let file = syn::parse_file(&text).expect("Rust");
        for item in &file.items {
            let name = match item {
                syn::Item::Struct(item) => &item.ident,
                syn::Item::Enum(item) => &item.ident,
                syn::Item::Trait(item) => &item.ident,
                syn::Item::Type(item) => &item.ident,
                _ => continue,
            };
            types
                .entry(name.to_string())
                .or_default()
                .push(path.clone());
        }
    }
    types
}

#[test]
fn no_two_types_have_one_name() {
    let twice: Vec<_> = types()
        .into_iter()
        .filter(|(_, paths)| paths.len() > 1)
        .collect();
    assert!(twice.is_empty(), "{twice:#?}");
}

/// Types are nouns. The types that the stages return are named after the passed stage.
#[test]
fn no_type_is_a_participle() {
    const STAGES: [&str; 4] = ["Located", "Validated", "Authorized", "Metered"];
    const OTHERS: [&str; 8] = [
        "Found", "Given", "Held", "Kept", "Made", "Said", "Sent", "Written",
    ];
    let participles: Vec<_> = types()
        .into_keys()
        .filter(|name| !STAGES.contains(&name.as_str()))
        .filter(|name| {
            let is_one_word = !name[1..].contains(char::is_uppercase);
            is_one_word && name.ends_with("ed") || OTHERS.contains(&name.as_str())
        })
        .collect();
    assert_eq!(participles, Vec::<String>::new());
}

/// Names of functions that do not describe them.
#[test]
fn no_function_has_a_vague_name() {
    const VAGUE: [&str; 7] = ["of", "at", "said", "told", "written", "plain", "named"];
    let none: Vec<String> = Vec::new();
    let is_vague = |_: &Path, text: &str| {
        VAGUE.iter().any(|name| {
            ["(", "<"]
                .iter()
                .any(|next| text.contains(&format!("fn {name}{next}")))
        })
    };
    assert_eq!(offenders(is_vague), none);
}

/// A module is `name.rs` and the files in `name/`.
#[test]
fn no_module_is_called_mod() {
    let none: Vec<String> = Vec::new();
    let is_mod = |path: &Path, _: &str| {
        let is_program = !path.starts_with("tests") && !path.starts_with("benches");
        is_program && path.ends_with("mod.rs")
    };
    assert_eq!(offenders(is_mod), none);
}
