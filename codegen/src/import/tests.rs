//! Imports of small folders, and of HighLevel's own if `HIGHLEVEL_API_DOCS` names a checkout.

use std::path::PathBuf;

use serde_json::json;

use super::*;

/// Writes `files` (path and text) into a new folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn document(operation: Value) -> String {
    json!({
        "openapi": "3.0.0",
        "info": {"title": "A sentence about it.", "version": "1"},
        "paths": {"/a/{id}": {"get": operation}},
        "components": {}
    })
    .to_string()
}

/// Imports one document; the value at `at` of the operation must be `expected`.
fn check(operation: Value, at: &str, expected: Value) {
    let folder = folder(&[("apps/a.json", &document(operation))]);
    let import = read(folder.path(), &Origin::default()).expect("an import");
    let operation = &import.documents["a"]["paths"]["/a/{id}"]["get"];
    assert_eq!(operation.pointer(at), Some(&expected), "{operation:#}");
}

fn refuses(files: &[(&str, &str)], parts: &[&str]) {
    let folder = folder(files);
    let Err(errors) = read(folder.path(), &Origin::default()) else {
        panic!("{files:?} was imported");
    };
    for part in parts {
        assert!(
            errors.to_string().contains(part),
            "{part} is not in {errors}"
        );
    }
}

#[test]
fn facts_stay_and_prose_goes() {
    let schema = "/requestBody/content/application~1json/schema";
    let body = |schema: Value| json!({"requestBody": {"content": {"application/json": {"schema": schema}}}});
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
    check(
        json!({"summary": "s", "description": "d", "externalDocs": {}, "operationId": "op", "deprecated": true,
            "responses": {"200": {"description": "Good", "content": {"application/json": {
                "schema": {"type": "string", "title": "t", "example": "e"}, "example": "e"}}}}}),
        "",
        json!({"operationId": "op", "deprecated": true,
            "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": "string"}}}}},
            "parameters": [{"name": "id", "in": "path", "required": true, "x-undeclared": true, "schema": {"type": "string"}}]}),
    );
    // Properties may have the names of prose keywords.
    check(
        body(
            json!({"properties": {"description": {"type": "string", "description": "d"}, "example": {"example": 1}}}),
        ),
        schema,
        json!({"properties": {"description": {"type": "string"}, "example": {}}}),
    );
    check(
        body(json!({"type": "object", "example": "a string"})),
        schema,
        json!({"type": "object", "x-example-type": "string"}),
    );
    check(
        body(json!({"type": "object", "example": "{\"a\": 1}"})),
        schema,
        json!({"type": "object"}),
    );
    check(
        body(json!({"type": "string", "enum": ["a", "a"], "default": "b", "nullable": true})),
        schema,
        json!({"type": "string", "enum": ["a"], "nullable": true, "x-declared-default": "b"}),
    );
    check(
        body(json!({"type": "string", "default": "Two words."})),
        schema,
        json!({"type": "string"}),
    );
    check(
        json!({"parameters": [{"name": "id", "in": "path", "schema": {"type": "string"}, "description": "d"}]}),
        "/parameters/0",
        json!({"name": "id", "in": "path", "required": true, "x-declared-required": false, "schema": {"type": "string"}}),
    );
    check(
        json!({"parameters": [id, {"name": "q", "in": "query", "explode": false, "schema": {"type": "any"}}]}),
        "/parameters/1",
        json!({"name": "q", "in": "query", "explode": false, "schema": {"x-declared-type": "any"}}),
    );
    check(
        body(json!({"$ref": "#/components/schemas/Gone"})),
        schema,
        json!({"x-dangling-ref": "#/components/schemas/Gone"}),
    );
    let answers = |told: &str| json!({"responses": {"200": {"headers": {"content-type": {"schema": {}, "description": told}}}}});
    let content = "/responses/200/content";
    check(answers("audio/x-wav"), content, json!({"audio/x-wav": {}}));
    check(
        answers("The type, audio/x-wav."),
        "/responses/200",
        json!({"description": "", "headers": {"content-type": {"schema": {}}}}),
    );
}

#[test]
fn references_into_other_files_are_bundled() {
    let operation = json!({"responses": {"400": {"description": "", "content": {"application/json": {
        "schema": {"$ref": "../common/c.json#/components/schemas/Outer"}}}}}});
    let common = json!({"components": {"schemas": {
        "Outer": {"properties": {"inner": {"$ref": "#/components/schemas/Inner"}}},
        "Inner": {"type": "string", "description": "d"}
    }}});
    let folder = folder(&[
        ("apps/a.json", &document(operation)),
        ("common/c.json", &common.to_string()),
    ]);
    let import = read(folder.path(), &Origin::default()).expect("an import");
    assert_eq!(
        import.documents["a"]["components"]["schemas"],
        json!({
            "Outer": {"properties": {"inner": {"$ref": "#/components/schemas/Inner"}}},
            "Inner": {"type": "string"}
        })
    );
    assert!(
        import.source.contains("\"common/c.json\" = "),
        "{}",
        import.source
    );
}

#[test]
fn scopes_come_from_the_table_if_the_document_names_none() {
    let table = "method\tpath\tscope\taccess\nGET\t/a/:id\ta.readonly\tSub-Account, Agency\n";
    let scoped = json!({"security": [{"bearer": ["own"]}]});
    for (operation, expected) in [(json!({}), json!(["a.readonly"])), (scoped, Value::Null)] {
        let folder = folder(&[("apps/a.json", &document(operation)), ("scopes.tsv", table)]);
        let import = read(folder.path(), &Origin::default()).expect("an import");
        let operation = &import.documents["a"]["paths"]["/a/{id}"]["get"];
        assert_eq!(operation["x-scopes"], expected);
    }
}

#[test]
fn bad_input_is_named_and_changes_nothing() {
    let foreign = document(json!({"requestBody": {"$ref": "../common/gone.json#/x"}}));
    let missing = document(json!({"requestBody": {"$ref": "../common/c.json#/x"}}));
    refuses(
        &[("apps/a.json", "{")],
        &["apps/a.json: is not JSON: EOF while parsing an object at line 1"],
    );
    refuses(
        &[("apps/a.json", r#"{"openapi": "3.1.0"}"#)],
        &["apps/a.json at /openapi: says OpenAPI 3.1.0"],
    );
    refuses(
        &[("apps/a.json", r#"{"swagger": "2.0"}"#)],
        &["names no OpenAPI version"],
    );
    refuses(&[("apps/a.txt", "")], &["apps: holds no documents"]);
    refuses(&[("other/a.json", "")], &["apps: cannot be read"]);
    refuses(
        &[("apps/a.json", &foreign)],
        &["a: common/gone.json: cannot be read"],
    );
    refuses(
        &[("apps/a.json", &missing), ("common/c.json", "{}")],
        &[
            "a: apps/a.json at /paths/~1a~1{id}/get/requestBody: refers to ../common/c.json#/x, which is not in common/c.json",
        ],
    );
    refuses(
        &[
            ("apps/a.json", &document(json!({}))),
            ("scopes.tsv", "h\nGET /a\n"),
        ],
        &["scopes.tsv line 2: has 1 cells"],
    );
}

#[test]
fn a_second_import_changes_nothing_and_stale_documents_go() {
    let documents = folder(&[("apps/a.json", &document(json!({"operationId": "op"})))]);
    let openapi = folder(&[("highlevel/gone.json", "{}")]);
    let import = |commit: Option<&str>| {
        let origin = Origin {
            commit: commit.map(str::to_owned),
            last: last_source(openapi.path()),
            ..Origin::default()
        };
        read(documents.path(), &origin).expect("an import")
    };
    let first = import(Some("c0ffee"));
    assert_eq!(
        first
            .differences(openapi.path())
            .into_iter()
            .collect::<Vec<_>>(),
        ["SOURCE.toml", "highlevel/a.json", "highlevel/gone.json"]
    );
    first.write(openapi.path()).expect("written");
    assert!(!openapi.path().join("highlevel/gone.json").exists());
    // The commit of unchanged files is known from the last import.
    assert!(import(None).differences(openapi.path()).is_empty());
    assert!(import(None).names_commit());
    let changed = document(json!({"operationId": "other"}));
    fs::write(documents.path().join("apps/a.json"), changed).expect("written");
    let later = import(None);
    assert!(later.source.contains("after_commit = \"c0ffee\""));
    assert!(!later.names_commit());
    later.write(openapi.path()).expect("written");
    assert!(import(None).source.contains("after_commit = \"c0ffee\""));
    assert!(!import(Some("c0de")).source.contains("c0ffee"));
}

/// The name of a folder that is not a checkout may have the commit, as an archive's does.
#[test]
fn the_commit_of_a_folder_is_found_where_it_stands() {
    #[track_caller]
    fn check(name: &str, files: &[(&str, &str)], expected: Option<&str>) {
        let above = folder(&[("shared/refs/heads/main", "c0ffee2\n")]);
        let documents = above.path().join(name);
        let apps = [("apps/a.json", document(json!({})))];
        let files = files.iter().map(|(name, text)| (*name, (*text).to_owned()));
        for (file, text) in files.chain(apps) {
            let path = documents.join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let import = read(&documents, &Origin::default()).expect("an import");
        let source: toml::Table = import.source.parse().expect("TOML");
        let commit = source.get("commit").and_then(toml::Value::as_str);
        assert_eq!(commit, expected, "{name}");
    }
    check("highlevel-api-docs", &[], None);
    check("highlevel-api-docs-main", &[], None);
    check("highlevel-api-docs-20261130", &[], None);
    check("highlevel-api-docs-0af86a4", &[], Some("0af86a4"));
    let head = (".git/HEAD", "ref: refs/heads/main\n");
    let branch = (".git/refs/heads/main", "c0ffee1\n");
    check("docs-0af86a4", &[head, branch], Some("c0ffee1"));
    let packed = (".git/packed-refs", "# pack\nc0ffee3 refs/heads/main\n");
    check("docs", &[head, packed], Some("c0ffee3"));
    check("docs", &[(".git/HEAD", "c0ffee4\n")], Some("c0ffee4"));
    let tree = [
        (".git", "gitdir: worktree\n"),
        ("worktree/HEAD", "ref: refs/heads/main\n"),
        ("worktree/commondir", "../../shared\n"),
    ];
    check("docs", &tree, Some("c0ffee2"));
}

/// `HIGHLEVEL_API_DOCS=<checkout> cargo test`: `openapi/` is exactly the result of an import.
#[test]
fn the_imported_documents_are_those_of_the_checkout() {
    let Some(checkout) = std::env::var_os("HIGHLEVEL_API_DOCS").map(PathBuf::from) else {
        eprintln!("SKIPPED: HIGHLEVEL_API_DOCS names no checkout of HighLevel's documents");
        return;
    };
    let openapi = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi"));
    let origin = Origin {
        last: last_source(&openapi),
        ..Origin::default()
    };
    let import = read(&checkout, &origin).expect("an import");
    assert!(
        import.differences(&openapi).is_empty(),
        "{:?}",
        import.differences(&openapi)
    );
}
