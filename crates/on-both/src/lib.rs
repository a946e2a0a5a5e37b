//! Makes two tests of one, on SQLite and on PostgreSQL: `#[on_both]` in place of `#[test]`.

use proc_macro::{TokenStream, TokenTree};

/// Makes `name::sqlite` and `name::postgres` from the test `name`. Both run it under `for_tests::run_on`, which sets
/// the place of its stores. `#[ignore]` below the attribute applies to both; an `async` test runs on one thread.
#[proc_macro_attribute]
pub fn on_both(_: TokenStream, test: TokenStream) -> TokenStream {
    expand(test, &[("sqlite", "Sqlite"), ("postgres", "Postgres")])
}

/// Runs a test only on SQLite, for features that only SQLite has: `#[on_sqlite("modes of files")]`.
#[proc_macro_attribute]
pub fn on_sqlite(reason: TokenStream, test: TokenStream) -> TokenStream {
    if !matches!(reason.into_iter().next(), Some(TokenTree::Literal(_))) {
        return error("say why it is not #[on_both]");
    }
    expand(test, &[("sqlite", "Sqlite")])
}

fn expand(test: TokenStream, databases: &[(&str, &str)]) -> TokenStream {
    let (mut kept, mut ignored) = (TokenStream::new(), TokenStream::new());
    let (mut name, mut is_async) = (None, false);
    let mut tokens = test.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is_ignore(&token, tokens.peek()) {
            ignored.extend([token]);
            ignored.extend(tokens.next());
            continue;
        }
        if let TokenTree::Ident(word) = &token
            && name.is_none()
        {
            match word.to_string().as_str() {
                "async" => is_async = true,
                "fn" => name = tokens.peek().map(TokenTree::to_string),
                _ => {}
            }
        }
        kept.extend([token]);
    }
    let name = name.unwrap_or_default();
    let body = match is_async {
        true => format!("|| crate::store::for_tests::on_one_thread(super::{name}())"),
        false => format!("super::{name}"),
    };
    let tests: String = databases
        .iter()
        .map(|(test, database)| {
            format!(
                "{ignored} #[test] fn {test}() {{
                    use crate::store::for_tests::{{TestedDatabase, run_on}};
                    run_on(TestedDatabase::{database}, {body});
                }}"
            )
        })
        .collect();
    match format!("mod {name} {{ {tests} }}").parse::<TokenStream>() {
        Ok(tests) => {
            kept.extend(tests);
            kept
        }
        Err(wrong) => error(&wrong.to_string()),
    }
}

fn error(sentence: &str) -> TokenStream {
    let error = format!("compile_error!({sentence:?});");
    error.parse().unwrap_or_default()
}

/// Whether this is the `#` of `#[ignore]`.
fn is_ignore(token: &TokenTree, next: Option<&TokenTree>) -> bool {
    let is_attribute = matches!(token, TokenTree::Punct(mark) if mark.as_char() == '#');
    let Some(TokenTree::Group(attribute)) = next.filter(|_| is_attribute) else {
        return false;
    };
    let first = attribute.stream().into_iter().next();
    first.is_some_and(|word| word.to_string() == "ignore")
}
