//! A customer at the pages of a link: the link, the content of the page, and the way back to the builder.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::super::SignIn;
use super::super::visitor::{Visitor, flow, unavailable};
use crate::http::pages::brand::Brand;
use crate::http::pages::clean::one_line;
use crate::http::pages::customers::CustomerPage;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use policy::{BuiltInRules, NamedRules};
use state::StoreError;
use state::customers::ConnectLink;
use state::vault::CredentialStatus;

/// What the form of a link is sealed as.
const SEALED: &str = "customer ";

/// The customer's time, long enough to create a token.
const FORM_LASTS: SignedDuration = SignedDuration::from_hours(1);

pub(super) const NOT_GOOD: &str = "Each link works once, for a limited time. Go back to the website that you came from \
                                   and start again.";

/// A visitor with a link that is still valid.
pub(super) struct CustomerVisit<'a> {
    pub sign_in: &'a SignIn,
    pub visitor: Visitor,
    pub text: SecretString,
    pub link: ConnectLink,
}

/// The reason that nothing was connected, as a sentence, for each way to connect. `typed`: the sub-account of the form.
#[derive(Clone, Copy)]
pub(super) enum PageTrouble<'a> {
    Token { sentence: &'a str, typed: &'a str },
    SignIn(&'a str),
}

impl<'a> CustomerVisit<'a> {
    pub(super) fn new(
        sign_in: &'a SignIn,
        visitor: Visitor,
        text: SecretString,
        link: ConnectLink,
    ) -> Self {
        Self {
            sign_in,
            visitor,
            text,
            link,
        }
    }

    /// The visit of a form that one of our pages sent from this browser.
    pub(super) async fn open(
        sign_in: &'a SignIn,
        headers: &HeaderMap,
        fields: &FormFields,
    ) -> Result<Self, PageProblem> {
        let visitor = Visitor::find(sign_in, headers).await?;
        let browser = flow(&visitor.browser)?;
        let opened = sign_in
            .forms
            .open(fields.token(), browser.expose_secret().as_bytes());
        let text = opened.ok();
        let text = text.as_deref().and_then(|text| text.strip_prefix(SEALED));
        let text = text.map(SecretString::from).ok_or_else(not_good)?;
        Self::of_text(sign_in, visitor, text).await
    }

    /// The visit of a link whose text is known. Fails if the link is no longer valid.
    pub(super) async fn of_text(
        sign_in: &'a SignIn,
        visitor: Visitor,
        text: SecretString,
    ) -> Result<Self, PageProblem> {
        let found = sign_in.customers.look(&text).await;
        let link = found.map_err(unavailable)?.ok_or_else(not_good)?;
        Ok(Self::new(sign_in, visitor, text, link))
    }

    pub(super) fn show(&self, trouble: Option<PageTrouble<'_>>) -> Result<Response, PageProblem> {
        let browser = self.visitor.browser.flow_or_new().ok_or_else(|| {
            unavailable(StoreError::from(
                "the system gives no random numbers".to_owned(),
            ))
        })?;
        let text = format!("{SEALED}{}", self.text.expose_secret());
        let key = browser.expose_secret().as_bytes();
        let sealed = self.sign_in.forms.seal(&text, key, FORM_LASTS);
        let sealed = sealed.map_err(unavailable)?;
        let pages = &self.sign_in.pages;
        let (problem, typed) = match trouble {
            None => (None, None),
            Some(PageTrouble::Token { sentence, typed }) => (Some(sentence), Some(typed)),
            Some(PageTrouble::SignIn(sentence)) => (Some(sentence), None),
        };
        let page = CustomerPage {
            builder: &self.builder(),
            may: &may(&self.link.rules, &pages.brand),
            goes_to: &host(&self.link.return_url),
            may_sign_in: self.sign_in.marketplace.is_some(),
            may_paste: self.sign_in.settings.vault,
            typed,
            problem,
            sealed: &sealed,
        };
        let page = page.page(&pages.brand).for_problem(problem);
        let mut response = pages.show(&page);
        self.visitor.browser.keep_flow(&mut response, &browser);
        Ok(response)
    }

    /// Whether the location is new to the server, or the app was uninstalled from it.
    pub(super) async fn is_new(&self, location: &str) -> Result<bool, PageProblem> {
        let known = self.sign_in.vault.list().await.map_err(unavailable)?;
        Ok(!known.iter().any(|one| {
            one.owner.is_none()
                && one.location == location
                && one.status != CredentialStatus::Uninstalled
        }))
    }

    /// Uses the link up. Returns the builder's address, with a code.
    pub(super) async fn connect(&self, location: &str, is_new: bool) -> Result<Url, PageProblem> {
        let customers = &self.sign_in.customers;
        let connected = customers.connect(&self.text, location, is_new).await;
        let (link, code) = connected.map_err(unavailable)?.ok_or_else(not_good)?;
        let mut url: Url = link.return_url.parse().map_err(|_| not_good())?;
        url.query_pairs_mut()
            .append_pair("code", code.expose_secret())
            .append_pair("ref", &link.reference);
        Ok(url)
    }

    /// The name of the builder's key, as pages show it.
    pub(super) fn builder(&self) -> String {
        one_line(&self.link.builder, 64)
    }

    /// The store accepts no further location.
    pub(super) fn full(&self, error: StoreError) -> PageProblem {
        tracing::warn!(%error, link = self.link.id, "a customer's location was not kept");
        PageProblem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Your account was not connected",
            "The server could not store it. Tell the person or company that sent you here.",
        )
    }
}

pub(super) fn not_good() -> PageProblem {
    PageProblem::new(StatusCode::BAD_REQUEST, "This link does not work", NOT_GOOD)
}

/// What the rules let a builder's program do, in a sentence that begins with its name.
fn may(rules: &str, brand: &Brand) -> String {
    let name = &brand.name;
    match NamedRules::parse(rules) {
        Some(NamedRules::BuiltIn(BuiltInRules::ReadOnly)) => {
            "wants to look things up there. It changes nothing.".to_owned()
        }
        Some(NamedRules::BuiltIn(BuiltInRules::AskFirst)) => format!(
            "wants to look things up there and change single records. Messages, payments, deletions and changes to \
             many records wait until somebody at {name} approves them."
        ),
        Some(NamedRules::BuiltIn(BuiltInRules::Everyday)) => format!(
            "wants to look things up there, change single records and send single messages, up to 50 a day. Everything \
             else waits until somebody at {name} approves it."
        ),
        Some(NamedRules::BuiltIn(BuiltInRules::Everything)) => format!(
            "wants to do everything there that {name} allows, including messages, payments and deletions. Nobody is \
             asked."
        ),
        Some(NamedRules::Section(_) | NamedRules::Installed) | None => {
            format!(
                "wants to work there under rules that {name} has set. Ask {name} what they allow."
            )
        }
    }
}

pub(super) fn host(url: &str) -> String {
    let url: Option<Url> = url.parse().ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.unwrap_or_default().to_owned()
}
