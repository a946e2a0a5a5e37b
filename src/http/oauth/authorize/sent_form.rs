//! A form that was sent back by a page on the way to a consent.

use axum::http::HeaderMap;

use super::super::SignIn;
use super::super::visitor::{Visitor, flow, own_form};
use super::client_request::{ClientRequest, RequestProblem};
use super::consent_form::ConsentForm;
use crate::http::pages::form::FormFields;

/// The sender, the input, and the client's request.
pub(super) struct SentForm {
    pub fields: FormFields,
    pub visitor: Visitor,
    pub form: ConsentForm,
    pub asked: ClientRequest,
}

impl SentForm {
    /// The client is checked again: it may have been blocked, or its document changed, since the page was shown.
    pub(super) async fn read(
        sign_in: &SignIn,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, RequestProblem> {
        let fields = own_form(sign_in, headers, body)?;
        let visitor = Visitor::find(sign_in, headers).await?;
        let form = ConsentForm::open(&sign_in.forms, fields.token(), &flow(&visitor.browser)?)?;
        let asked = ClientRequest::read(sign_in, form.query.clone(), None).await?;
        Ok(Self {
            fields,
            visitor,
            form,
            asked,
        })
    }
}
