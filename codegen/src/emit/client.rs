//! The client of one document: progenitor's functions, which type and encode paths and queries, without the sending.

use proc_macro2::TokenStream;
use syn::parse_quote;

use crate::emit::format;
use crate::error::Problem;

/// The client's code, derived from progenitor's. Each function returns the request that progenitor's would send.
/// Sending, with credential, limits and retries, is the server's own; leaving it out halves the time of `cargo check`.
pub(crate) fn client(stem: &str, written: TokenStream) -> Result<syn::File, Problem> {
    let mut client = format::parsed(written)?;
    let blocks = client.items.iter_mut().filter_map(|item| match item {
        syn::Item::Impl(block) if block.trait_.is_none() => Some(block),
        _ => None,
    });
    for item in blocks.flat_map(|block| &mut block.items) {
        if let syn::ImplItem::Fn(function) = item
            && function.sig.asyncness.take().is_some()
        {
            give_request(function).ok_or_else(|| {
                let what = "progenitor's function builds no request";
                let remedy = "this is a fault of the generator";
                Problem::in_document(stem, function.sig.ident.to_string(), what, remedy)
            })?;
        }
    }
    Ok(client)
}

/// Ends `function` once it has built its request.
fn give_request(function: &mut syn::ImplItemFn) -> Option<()> {
    let statements = &mut function.block.stmts;
    let built = statements.iter().position(builds_request)?;
    statements.truncate(built + 1);
    statements.push(syn::Stmt::Expr(parse_quote!(Ok(request)), None));
    function.sig.output = parse_quote!(-> Result<::reqwest::Request, Error<()>>);
    Some(())
}

fn builds_request(statement: &syn::Stmt) -> bool {
    matches!(statement, syn::Stmt::Local(local)
        if matches!(&local.pat, syn::Pat::Ident(name) if name.ident == "request"))
}
