//! The customer's page: who asks, and a form for the token of the location.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::super::SignIn;
use super::super::visitor::{Visitor, flow, own_form, unavailable};
use crate::call::TokenTry;
use crate::http::client_address::Peer;
use crate::http::pages::PageKind;
use crate::http::pages::brand::Brand;
use crate::http::pages::clean::one_line;
use crate::http::pages::customers::{CustomerPage, open_page};
use crate::http::pages::form::FormFields;
use crate::http::pages::links::secret_in;
use crate::http::pages::notice::PageProblem;
use policy::{BuiltInRules, NamedRules};
use state::StoreError;
use state::customers::ConnectLink;

/// What the form of a link is sealed as.
const SEALED: &str = "customer ";

/// How long a customer has, to make a token too.
const FORM_LASTS: SignedDuration = SignedDuration::from_hours(1);

const NOT_GOOD: &str = "This link is not good, or not any more: each works once, and for a limited time. Go back to where you \
                        came from and begin again.";

pub(super) async fn show(State(sign_in): State<Arc<SignIn>>) -> Response {
    sign_in.pages.show(&open_page(&sign_in.pages.brand, None))
}

/// Who asks. That is shown to whoever presses the button; it uses nothing up.
pub(super) async fn open(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let opened = async {
        let fields = own_form(&sign_in, &headers, &body)?;
        let refuse = |what: &str| {
            let page = open_page(&sign_in.pages.brand, Some(what));
            Ok(sign_in
                .pages
                .show(&page.with_status(StatusCode::BAD_REQUEST)))
        };
        let Some(text) = secret_in(fields.one("link")).map(SecretString::from) else {
            return refuse(
                "This is not a link of this server. Copy the whole of it, with all that stands behind the #.",
            );
        };
        match sign_in.customers.look(&text).await.map_err(unavailable)? {
            None => refuse(NOT_GOOD),
            Some(link) => CustomerVisit::new(&sign_in, &headers, text, link)
                .await?
                .show(None),
        }
    };
    let opened = opened.await;
    sign_in.pages.respond(opened, PageKind::Entry)
}

/// The token is tried at HighLevel; where it is the location's, the customer goes back to the builder with a code.
pub(super) async fn by_token(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
    body: Bytes,
) -> Response {
    let peer = peer.map(|Extension(Peer(address))| address);
    let connected = async {
        let fields = own_form(&sign_in, &headers, &body)?;
        let visit = CustomerVisit::open(&sign_in, &headers, &fields).await?;
        if !sign_in.settings.vault {
            return Err(not_good());
        }
        let token = fields.secret("token");
        let tried = TokenTry {
            location: fields.one("location"),
            token: &token,
            address: sign_in.addresses.client(peer, &headers),
        };
        let checked = match sign_in.pipeline.check_token(tried).await {
            Ok(checked) => checked,
            Err(problem) => {
                let sentence = problem.sentence(&sign_in.pages.brand.crm_name);
                return visit.show(Some(&sentence));
            }
        };
        let new = checked.into_new_token(None);
        let known = sign_in.vault.list().await.map_err(unavailable)?;
        let is_new = known
            .iter()
            .all(|one| one.owner.is_some() || one.location != new.location);
        let put = sign_in.vault.put_token(new).await;
        let location = put.map_err(|error| visit.full(error))?;
        visit.finish(&location.id, is_new).await
    };
    let connected = connected.await;
    sign_in.pages.respond(connected, PageKind::Entry)
}

/// Somebody with a link that is still good.
struct CustomerVisit<'a> {
    sign_in: &'a SignIn,
    visitor: Visitor,
    text: SecretString,
    link: ConnectLink,
}

impl<'a> CustomerVisit<'a> {
    async fn new(
        sign_in: &'a SignIn,
        headers: &HeaderMap,
        text: SecretString,
        link: ConnectLink,
    ) -> Result<Self, PageProblem> {
        let visitor = Visitor::find(sign_in, headers).await?;
        Ok(Self {
            sign_in,
            visitor,
            text,
            link,
        })
    }

    /// Of the form that a page of ours sent in this browser.
    async fn open(
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
        let found = sign_in.customers.look(&text).await;
        let link = found.map_err(unavailable)?.ok_or_else(not_good)?;
        Ok(Self {
            sign_in,
            visitor,
            text,
            link,
        })
    }

    fn show(&self, problem: Option<&str>) -> Result<Response, PageProblem> {
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
        let page = CustomerPage {
            builder: &one_line(&self.link.builder, 64),
            may: &may(&self.link.rules, &pages.brand),
            goes_to: &host(&self.link.return_url),
            problem,
            sealed: &sealed,
        };
        let mut page = page.page(&pages.brand);
        if problem.is_some() {
            page = page.with_status(StatusCode::BAD_REQUEST);
        }
        let mut response = pages.show(&page);
        self.visitor.browser.keep_flow(&mut response, &browser);
        Ok(response)
    }

    /// Back to the builder with a code.
    async fn finish(&self, location: &str, is_new: bool) -> Result<Response, PageProblem> {
        let customers = &self.sign_in.customers;
        let connected = customers.connect(&self.text, location, is_new).await;
        let Some((link, code)) = connected.map_err(unavailable)? else {
            // It ended while the token was tried.
            if is_new {
                let removed = self.sign_in.vault.remove(location, None).await;
                removed.map_err(unavailable)?;
            }
            return Err(not_good());
        };
        let mut url: Url = link.return_url.parse().map_err(|_| not_good())?;
        url.query_pairs_mut()
            .append_pair("code", code.expose_secret())
            .append_pair("ref", &link.reference);
        Ok(self.sign_in.pages.redirect(url.as_str()))
    }

    /// The store says no to one location more.
    fn full(&self, error: StoreError) -> PageProblem {
        tracing::warn!(%error, link = self.link.id, "a customer's location was not kept");
        PageProblem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Your account was not connected",
            "The server could not keep it. Nothing was stored. Tell whoever sent you here.",
        )
    }
}

fn not_good() -> PageProblem {
    PageProblem::new(
        StatusCode::BAD_REQUEST,
        "This link is not good any more",
        NOT_GOOD,
    )
}

/// What the rules let a builder's program do, in a sentence that begins with its name.
fn may(rules: &str, brand: &Brand) -> String {
    let name = &brand.name;
    match NamedRules::parse(rules) {
        Some(NamedRules::BuiltIn(BuiltInRules::ReadOnly)) => {
            "wants to look things up there. It changes nothing.".to_owned()
        }
        Some(NamedRules::BuiltIn(BuiltInRules::AskFirst)) => format!(
            "wants to look things up there and change single records. Sending, payments, deleting and changes to many records \
             wait until somebody at {name} approves them."
        ),
        Some(NamedRules::BuiltIn(BuiltInRules::Everyday)) => format!(
            "wants to look things up there, change single records and send single messages, up to 50 a day. The rest waits until \
             somebody at {name} approves it."
        ),
        Some(NamedRules::BuiltIn(BuiltInRules::Everything)) => format!(
            "wants to do everything there that {name} allows, payments, messages and deleting too. Nobody is asked."
        ),
        Some(NamedRules::Section(_) | NamedRules::Installed) | None => {
            format!(
                "wants to work there, under rules that {name} has set. Ask there what they allow."
            )
        }
    }
}

fn host(url: &str) -> String {
    let url: Option<Url> = url.parse().ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.unwrap_or_default().to_owned()
}
