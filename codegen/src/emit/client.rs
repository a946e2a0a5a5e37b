//! The client of one document: progenitor's functions, which type and encode paths and queries.

use std::panic::{AssertUnwindSafe, catch_unwind};

use openapiv3::OpenAPI;
use proc_macro2::TokenStream;
use progenitor::{GenerationSettings, Generator, HooksMode, InterfaceStyle};
use quote::quote;

use crate::error::Problem;

/// The client's tokens. progenitor panics on most of what it does not take; the panic's message
/// becomes the error.
pub fn client(stem: &str, document: &OpenAPI) -> Result<TokenStream, Problem> {
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Positional)
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote!(crate::runtime::prepare::Taken));
    let fault = |what: String| {
        Problem::in_document(
            stem,
            "client",
            format!("progenitor refuses it: {what}"),
            "mend the document in openapi/repairs",
        )
    };
    let generated = catch_unwind(AssertUnwindSafe(|| {
        Generator::new(&settings).generate_tokens(document)
    }));
    let client = match generated {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Err(fault(error.to_string())),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("it panicked");
            return Err(fault(message.to_owned()));
        }
    };
    Ok(quote! {
        #client

        impl ClientHooks<crate::runtime::prepare::Taken> for Client {
            async fn pre<E>(
                &self,
                request: &mut ::reqwest::Request,
                _info: &OperationInfo,
            ) -> ::std::result::Result<(), Error<E>> {
                Err(self.inner().take(request))
            }
        }
    })
}
