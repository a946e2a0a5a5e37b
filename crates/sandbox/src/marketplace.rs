//! HighLevel's Marketplace: apps with their client keys and redirect addresses, and their installs.
//!
//! \[E\] first-hand, \[M\] measured by others, \[I\] inferred. The app's target is sub-accounts, and agencies may
//! install it in many at once: HighLevel recommends this \[E\], and only this gives an agency tokens for locations'
//! data \[M\].

mod chooser;
mod installs;
mod webhooks;

pub(crate) use chooser::{Choice, ChooserReply, choose, page};
pub(crate) use installs::{install, installed_locations, location_made, uninstall};
pub(crate) use webhooks::{WebhookKey, WebhookOrder, WebhookSender};

use std::collections::BTreeMap;

use serde_json::Value;
use url::{Host, Url};

use super::refusal::Refusal;
use super::tokens::Installation;

/// The sandbox's app; the version of a private app has the same id \[M\].
pub const APP: &str = "5a4d0b0c0000000000000001";
/// \[M\] app, dash, eight letters.
pub const CLIENT_ID: &str = "5a4d0b0c0000000000000001-sandbox1";
pub const CLIENT_SECRET: &str = "sandbox-secret";

/// \[M\] words that HighLevel allows in no redirect address of an app without its name.
const BRANDS: [&str; 2] = ["ghl", "highlevel"];

/// \[I\] milliseconds.
const CODE_LIFE: i64 = 600_000;

/// How the Marketplace behaves.
#[derive(Clone, Debug, Default)]
pub struct MarketplaceOptions {
    /// The app's redirect addresses.
    pub redirects: Vec<String>,
    /// Allows redirect addresses at this machine, which HighLevel refuses.
    pub allows_loopback: bool,
    /// Whether an install that began at the app's own link returns without its `state`. \[M\] it returns with it, but
    /// not if it began at HighLevel.
    pub drops_state: bool,
    /// \[M\] selecting one location may still give a company's token.
    pub is_always_bulk: bool,
    /// The address of the app's webhooks; none without it.
    pub webhook: Option<String>,
}

/// Apps, and the unused codes.
pub(crate) struct Marketplace {
    options: MarketplaceOptions,
    codes: BTreeMap<String, IssuedCode>,
    /// Events to be sent.
    outbox: Vec<Value>,
    random: fastrand::Rng,
}

/// The content of a code.
struct IssuedCode {
    client: String,
    redirect: String,
    installation: Installation,
    scopes: Vec<String>,
    expires: i64,
}

impl Marketplace {
    /// Fails if HighLevel would not allow a redirect address.
    pub(crate) fn new(options: MarketplaceOptions) -> Result<Self, String> {
        for redirect in &options.redirects {
            check_redirect(redirect, options.allows_loopback)?;
        }
        Ok(Self {
            options,
            codes: BTreeMap::new(),
            outbox: Vec::new(),
            random: fastrand::Rng::new(),
        })
    }

    pub(crate) fn options(&self) -> &MarketplaceOptions {
        &self.options
    }

    /// \[M\] forty hexadecimal digits.
    fn issue(&mut self, code: IssuedCode) -> String {
        let digits = std::iter::repeat_with(|| self.random.digit(16));
        let text: String = digits.take(40).collect();
        self.codes.insert(text.clone(), code);
        text
    }

    /// Uses a code up. Returns the chosen locations and scopes. \[I\] a wrong client or redirect address uses nothing
    /// up.
    pub(crate) fn redeem(
        &mut self,
        code: &str,
        client: &str,
        redirect: Option<&str>,
        now: i64,
    ) -> Result<(Installation, Vec<String>), Refusal> {
        let found = self.codes.get(code).filter(|code| code.expires > now);
        let found = found.ok_or_else(Refusal::code)?;
        if found.client != client {
            return Err(Refusal::client());
        }
        if redirect.is_some_and(|redirect| redirect != found.redirect) {
            // [I] the message.
            return Err(Refusal::oauth("Redirect uri mismatch!"));
        }
        let code = self.codes.remove(code).ok_or_else(Refusal::code)?;
        Ok((code.installation, code.scopes))
    }

    /// Whether the code exists, for any client.
    pub(crate) fn knows(&self, code: &str, now: i64) -> bool {
        self.codes.get(code).is_some_and(|code| code.expires > now)
    }

    /// Forgets every code.
    pub(crate) fn clear(&mut self) {
        self.codes.clear();
        self.outbox.clear();
    }

    /// Keeps events until they are sent.
    pub(crate) fn post(&mut self, events: impl IntoIterator<Item = Value>) {
        if self.options.webhook.is_some() {
            self.outbox.extend(events);
        }
    }

    /// The address and the events since the last call.
    pub(crate) fn take_outbox(&mut self) -> Option<(String, Vec<Value>)> {
        let url = self.options.webhook.clone()?;
        let events = std::mem::take(&mut self.outbox);
        (!events.is_empty()).then_some((url, events))
    }
}

/// Whether this is one of the two apps' clients: the one that people install, or the one with fixed codes.
pub(crate) fn is_client(id: Option<&str>, secret: Option<&str>) -> bool {
    let known = [CLIENT_ID, "sandbox-client"];
    id.is_some_and(|id| known.contains(&id)) && secret == Some(CLIENT_SECRET)
}

/// \[M\] https only, not this machine, and without HighLevel's name.
fn check_redirect(redirect: &str, allows_loopback: bool) -> Result<(), String> {
    let url = Url::parse(redirect)
        .map_err(|error| format!("{redirect:?} is not a redirect address: {error}"))?;
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if is_local && allows_loopback {
        return Ok(());
    }
    if is_local || url.scheme() != "https" {
        return Err(format!(
            "HighLevel does not accept the redirect address {redirect:?}. It must begin with https:// and not be an \
             address of this machine"
        ));
    }
    let lower = redirect.to_ascii_lowercase();
    match BRANDS.iter().find(|brand| lower.contains(**brand)) {
        None => Ok(()),
        Some(brand) => Err(format!(
            "HighLevel does not accept the redirect address {redirect:?}. It must not contain {brand:?}"
        )),
    }
}
