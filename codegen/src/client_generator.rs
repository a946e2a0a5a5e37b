//! The only module that knows progenitor and `openapiv3`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use openapiv3::OpenAPI;
use proc_macro2::TokenStream;
use progenitor::{GenerationSettings, Generator, InterfaceStyle};
use serde_json::Value;

use crate::error::Problem;

/// The client of one document as progenitor writes it. progenitor panics on most unsupported input; the panic's message
/// becomes the error.
pub(crate) fn client_tokens(stem: &str, document: Value) -> Result<TokenStream, Problem> {
    let document: OpenAPI = serde_json::from_value(document).map_err(|error| {
        Problem::in_document(
            stem,
            "paths",
            format!("the client generator does not accept it: {error}"),
            "repair the document in openapi/repairs",
        )
    })?;
    let mut settings = GenerationSettings::new();
    settings.with_interface(InterfaceStyle::Positional);
    let fault = |what: String| {
        Problem::in_document(
            stem,
            "client",
            format!("progenitor refuses it: {what}"),
            "repair the document in openapi/repairs",
        )
    };
    let generated = catch_unwind(AssertUnwindSafe(|| {
        Generator::new(&settings).generate_tokens(&document)
    }));
    match generated {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(fault(error.to_string())),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("it panicked");
            Err(fault(message.to_owned()))
        }
    }
}
