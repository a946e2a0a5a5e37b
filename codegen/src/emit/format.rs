//! Prints Rust: the only place that turns tokens into text.

use proc_macro2::TokenStream;

use crate::error::Problem;

/// `tokens` as a formatted file.
pub(crate) fn rust(tokens: TokenStream) -> Result<String, Problem> {
    Ok(prettyplease::unparse(&parsed(tokens)?))
}

/// `tokens` as a syntax tree.
pub(crate) fn parsed(tokens: TokenStream) -> Result<syn::File, Problem> {
    syn::parse2(tokens).map_err(|error| {
        Problem::new(
            "emit",
            format!("the generated code is not Rust: {error}"),
            "this is a fault of the generator",
        )
    })
}
