//! One thin handler per tool: takes arguments by wire name, calls the client's function.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::emit::prune::client_name;
use crate::error::Problem;
use crate::model::operation::{Operation, OperationArgument};
use tool::Place;

/// The name of a tool's handler.
pub(crate) fn handler_name(operation: &Operation) -> Ident {
    let suffix = if operation.is_v3_variant { "_v3" } else { "" };
    format_ident!("{}{suffix}", identifier_text(&operation.tool, '_'))
}

/// The module of a document's client.
pub(crate) fn client_module(source: &str) -> Ident {
    format_ident!("{}", identifier_text(source, '_'))
}

/// The handler of `operation`. Its arguments follow the client function's own signature.
pub(crate) fn handler(operation: &Operation, client: &syn::File) -> Result<TokenStream, Problem> {
    let fault = |what: &str| {
        Problem::in_document(
            &operation.document,
            format!("{} {}", operation.method, operation.path),
            what,
            "this is a fault of the generator",
        )
    };
    let function = functions(client)
        .find(|function| same_name(&function.sig.ident, &operation.operation_id))
        .ok_or_else(|| fault("progenitor made no function for it"))?;
    let mut values = Vec::new();
    for input in &function.sig.inputs {
        let syn::FnArg::Typed(input) = input else {
            continue;
        };
        let syn::Pat::Ident(name) = &*input.pat else {
            return Err(fault(
                "progenitor's function has an argument without a name",
            ));
        };
        let ty = &input.ty;
        let kind = quote!(#ty).to_string().replace(' ', "");
        values.push(value(operation, &name.ident, &kind).ok_or_else(|| {
            fault(&format!(
                "progenitor's argument {}: {kind} is not known",
                name.ident
            ))
        })?);
    }
    let taken = if values.is_empty() {
        format_ident!("_arguments")
    } else {
        format_ident!("arguments")
    };
    let name = handler_name(operation);
    let module = client_module(&operation.source);
    let call = &function.sig.ident;
    Ok(quote! {
        fn #name(
            to: &crate::catalog::prepare::RequestBase,
            #taken: &::tool::Arguments,
        ) -> Result<::reqwest::Request, crate::catalog::prepare::PrepareError> {
            let client = #module::Client::new_with_client(&to.base_url, to.http.clone());
            Ok(client.#call(#(#values),*)?)
        }
    })
}

/// The functions of `impl Client`.
fn functions(client: &syn::File) -> impl Iterator<Item = &syn::ImplItemFn> {
    client
        .items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Impl(block) if block.trait_.is_none() => Some(&block.items),
            _ => None,
        })
        .flatten()
        .filter_map(|item| match item {
            syn::ImplItem::Fn(function) if function.sig.receiver().is_some() => Some(function),
            _ => None,
        })
}

/// The expression that reads the value for progenitor's argument `name` of type `kind`.
fn value(operation: &Operation, name: &Ident, kind: &str) -> Option<TokenStream> {
    if kind.ends_with("serde_json::Value") {
        return Some(quote!(arguments.body()?));
    }
    let argument = operation
        .arguments
        .iter()
        .filter(|argument| !matches!(argument.place, Place::Body | Place::WholeBody))
        .find(|argument| same_name(name, &client_name(operation, argument)))?;
    let place = place_name(argument);
    let optional = kind.starts_with("Option<");
    let bare = kind.trim_start_matches("Option<").trim_end_matches('>');
    let take = match bare {
        "&'astr" => "text",
        "i64" => "integer",
        "f64" => "number",
        "bool" => "boolean",
        "&'a::std::vec::Vec<::std::string::String" => "list",
        _ => return None,
    };
    let take = if optional {
        format_ident!("optional_{take}")
    } else {
        format_ident!("{take}")
    };
    let place = format_ident!("{place}");
    let wire_name = &argument.wire_name;
    let borrow = (bare.starts_with("&'a::std") && !optional).then(|| quote!(&));
    let as_reference = (bare.starts_with("&'a::std") && optional).then(|| quote!(.as_ref()));
    Some(quote!(#borrow arguments.#place.#take(#wire_name)? #as_reference))
}

fn place_name(argument: &OperationArgument) -> &'static str {
    match argument.place {
        Place::Path => "path",
        Place::Query => "query",
        _ => "header",
    }
}

/// progenitor turns names into snake case; letters and digits stay in order.
fn same_name(ident: &Ident, name: &str) -> bool {
    identifier_text(&ident.to_string(), '\0') == identifier_text(name, '\0')
}

/// Lower-case letters and digits of `name`; other characters become `other` (`\0`: left out).
fn identifier_text(name: &str, other: char) -> String {
    name.trim_start_matches("r#")
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                other
            }
        })
        .filter(|letter| *letter != '\0')
        .collect()
}
