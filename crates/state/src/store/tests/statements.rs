//! Every statement in the sources of this crate is valid for both databases, and returns only numbers, texts and bytes:
//! other types are read differently from each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::date;
use proc_macro2::{TokenStream, TokenTree};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Column, Connection, Executor, SqlSafeStr, Statement as _, TypeInfo};

use super::*;
use crate::usage::{UsageGrouping, UsageQuery};

/// The first words of statements that read and change rows.
const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// Files with statements for one database only.
const OF_ONE_DATABASE: [&str; 3] = ["store/copy.rs", "store/postgres.rs", "store/sqlite.rs"];

/// A text in the sources.
struct SourceText {
    file: String,
    text: String,
    /// The constant whose value it is.
    constant: Option<String>,
}

/// The parts of composed statements that are not constants: complete statements for each text with braces.
fn composed() -> BTreeMap<&'static str, Vec<String>> {
    let counts = super::super::upkeep::COUNTED
        .map(|(_, table)| format!("SELECT COUNT(*) AS n FROM {table}"));
    let sealed = super::super::upkeep::SEALED.map(|column| column.statements());
    let (finds, puts) = sealed.into_iter().unzip();
    let days = (date(2026, 11, 1), date(2026, 11, 30));
    let usage: Vec<String> = [false, true]
        .map(|is_all| {
            let by = UsageGrouping {
                day: is_all,
                principal: is_all,
                location: is_all,
                effect: is_all,
            };
            let of = |id: &str| is_all.then(|| id.to_owned());
            let query = UsageQuery {
                location: of("L1"),
                reader: of("per_1"),
                is_busiest_first: is_all,
                ..UsageQuery::sums(days, by)
            };
            query.text()
        })
        .into();
    let counts_of_usage = usage
        .iter()
        .map(|sums| format!("SELECT COUNT(*) AS n FROM ({sums}) AS sums"));
    BTreeMap::from([
        ("SELECT COUNT(*) AS n FROM ({})", counts_of_usage.collect()),
        ("SELECT {}, CAST(COALESCE(SUM(usage.calls)", usage.clone()),
        ("SELECT COUNT(*) AS n FROM {table}", counts.to_vec()),
        ("SELECT {row} AS name, {column} AS sealed", finds),
        ("UPDATE {table} SET {column} = $2 WHERE {row} = $1", puts),
    ])
}

#[on_both]
fn every_statement_is_understood_and_gives_numbers_texts_and_bytes() {
    let folder = for_tests::folder();
    drop(for_tests::open(&folder));
    let statements = statements();
    assert!(statements.len() > 200, "{}", statements.len());
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    let faults: Vec<String> = runtime.block_on(async {
        match folder.database() {
            Some(url) => {
                let connection = PgConnection::connect(url).await.expect("connected");
                faults(connection, &statements, &["INT8", "TEXT", "BYTEA"]).await
            }
            None => {
                let url = format!("sqlite://{}", for_tests::file(&folder).display());
                let connection = SqliteConnection::connect(&url).await.expect("connected");
                // A computed value has no type before there is a row.
                faults(
                    connection,
                    &statements,
                    &["INTEGER", "TEXT", "BLOB", "NULL"],
                )
                .await
            }
        }
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Statements that the database does not accept, or whose results have another type.
async fn faults<C>(mut connection: C, statements: &[String], types: &[&str]) -> Vec<String>
where
    C: Connection,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    let mut faults = Vec::new();
    let is_postgres = types.contains(&"BYTEA");
    for statement in statements {
        // Questions about the server itself.
        if statement.contains("pg_") && !is_postgres {
            continue;
        }
        let text = AssertSqlSafe(statement.clone()).into_sql_str();
        match connection.prepare(text).await {
            Err(error) => faults.push(format!("{error}: {statement}")),
            Ok(prepared) => {
                let columns = prepared.columns().iter();
                let others = columns.filter(|column| !types.contains(&column.type_info().name()));
                faults.extend(others.map(|column| {
                    let (name, kind) = (column.name(), column.type_info().name());
                    format!("{name} is {kind}: {statement}")
                }));
            }
        }
    }
    faults
}

/// All statements, composed if they are in parts.
fn statements() -> Vec<String> {
    let texts = texts();
    let composed = composed();
    let mut statements = Vec::new();
    for SourceText {
        file,
        text,
        constant,
    } in &texts
    {
        let is_part = constant.as_ref().is_some_and(|name| {
            let name = format!("{{{name}}}");
            texts.iter().any(|other| other.text.contains(&name))
        });
        if is_part || !VERBS.iter().any(|verb| text.starts_with(verb)) {
            continue;
        }
        let mut whole = text.clone();
        // Of two constants of one name, the one of the same file.
        let of_file = texts.iter().filter(|part| part.file == *file);
        for part in of_file.chain(&texts) {
            if let Some(name) = &part.constant {
                whole = whole.replace(&format!("{{{name}}}"), &part.text);
            }
        }
        if let Some((before, columns)) = whole.split_once(" VALUES {}").and_then(|(before, _)| {
            let (_, columns) = before.split_once('(')?;
            Some((before, columns.split(',').count()))
        }) {
            let values: Vec<String> = (1..=columns).map(|number| format!("${number}")).collect();
            let values = format!("{before} VALUES ({})", values.join(", "));
            let rest = whole.split_once(" VALUES {}").map_or("", |(_, rest)| rest);
            statements.push(format!("{values}{rest}"));
        } else if whole.contains('{') && !whole.contains("'{}'") {
            let found = composed.iter().find(|(part, _)| whole.starts_with(*part));
            let (_, found) = found.unwrap_or_else(|| {
                panic!("{file} puts a statement together of what is no constant: {text}; add it to `composed`")
            });
            statements.extend(found.iter().cloned());
        } else {
            statements.push(whole);
        }
    }
    statements
}

/// Every text of the sources, except in tests.
fn texts() -> Vec<SourceText> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let (mut folders, mut texts) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a file").path();
            let name = path.strip_prefix(&root).expect("inside");
            let name = name.to_str().expect("a name").to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.contains("tests") && !OF_ONE_DATABASE.contains(&name.as_str()) {
                let source = fs::read_to_string(path).expect("read");
                let tokens: TokenStream = source.parse().expect("Rust");
                collect(tokens, &name, &mut texts);
            }
        }
    }
    texts
}

fn collect(tokens: TokenStream, file: &str, texts: &mut Vec<SourceText>) {
    let (mut constant, mut is_test) = (None, false);
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "const" || word == "mod" => {
                let name = tokens.peek().map(TokenTree::to_string);
                is_test = word == "mod" && name.as_deref() == Some("tests");
                constant = name.filter(|_| word == "const");
            }
            TokenTree::Punct(mark) if mark.as_char() == ';' => (constant, is_test) = (None, false),
            TokenTree::Group(group) if !std::mem::take(&mut is_test) => {
                collect(group.stream(), file, texts);
            }
            TokenTree::Literal(literal) => {
                if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                    texts.push(SourceText {
                        file: file.to_owned(),
                        text: text.value(),
                        constant: constant.clone(),
                    });
                }
            }
            _ => {}
        }
    }
}
