//! The page where people choose locations and admit the app, for a browser without script: `/v2/oauth/chooselocation`.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use super::{APP, CLIENT_ID, CODE_LIFE, IssuedCode, Marketplace, install};
use crate::documents::documents;
use crate::state::Records;
use crate::tokens::Installation;

/// The user who is signed in at HighLevel, unless the page names another.
const USER: &str = "sandboxUser";

/// The app's request: the query of the page, repeated in its fields.
pub(crate) struct Choice {
    fields: Vec<(String, String)>,
}

/// The answer to a browser.
pub(crate) enum ChooserReply {
    Page(u16, String),
    /// A 302.
    Redirect(String),
}

impl Choice {
    /// Parses a query or a form.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let fields = form_urlencoded::parse(text).into_owned().collect();
        Self { fields }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(field, _)| field == name);
        found.next().map(|(_, value)| value.as_str())
    }

    fn all<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c str> {
        let found = self.fields.iter().filter(move |(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }

    fn scopes(&self) -> Vec<String> {
        let scopes = self.get("scope").unwrap_or_default().split_whitespace();
        scopes.map(str::to_owned).collect()
    }

    /// Fails with the page's message about its fault.
    fn check(&self, marketplace: &Marketplace) -> Result<(), String> {
        if self.get("response_type") != Some("code") {
            // [I] the message.
            return Err("response_type must be code".to_owned());
        }
        let client = self.get("client_id").unwrap_or_default();
        if client != CLIENT_ID {
            // [M] the message.
            return Err(format!("No integration found with the id: {client}"));
        }
        // [M] of private apps and drafts, with and without /v2.
        if self.get("version_id") != Some(APP) {
            return Err("error.noAppVersionIdFound".to_owned());
        }
        let redirect = self.get("redirect_uri").unwrap_or_default();
        let registered = &marketplace.options().redirects;
        if !registered.iter().any(|one| one == redirect) {
            // [I] the message.
            return Err(format!(
                "The app has no redirect address {redirect:?}; it has {registered:?}"
            ));
        }
        // [E] an app for sub-accounts may have no agency scopes; [I] that the page says so, and the message.
        let scopes = self.scopes();
        let allowed = allowed_scopes();
        let others = scopes.iter().filter(|one| !allowed.contains(one.as_str()));
        let others: Vec<&str> = others.map(String::as_str).collect();
        if scopes.is_empty() || !others.is_empty() {
            return Err(format!(
                "An app for sub-accounts cannot have these scopes: {others:?}"
            ));
        }
        Ok(())
    }

    /// The chosen installation. Fails if it is not possible.
    fn installation(&self, state: &Records, always_bulk: bool) -> Result<Installation, String> {
        let user = self.get("user").filter(|user| !user.is_empty());
        let user = user.unwrap_or(USER).to_owned();
        if let Some(company) = self.get("agency").filter(|company| !company.is_empty()) {
            let own = state
                .all("location")
                .filter(|one| one["companyId"] == company);
            let locations: Vec<String> = own.filter_map(id).collect();
            if locations.is_empty() {
                return Err(format!("There is no agency {company:?}."));
            }
            return Ok(Installation {
                company: company.to_owned(),
                locations,
                is_whole: true,
                is_bulk: true,
                user,
            });
        }
        let mut companies = BTreeSet::new();
        let mut locations = Vec::new();
        for location in self.all("location") {
            let Some(known) = state.get("location", location) else {
                return Err(format!("There is no location {location:?}."));
            };
            companies.insert(known["companyId"].as_str().unwrap_or_default());
            locations.push(location.to_owned());
        }
        let mut companies = companies.into_iter();
        match (companies.next(), companies.next()) {
            (Some(company), None) => Ok(Installation {
                company: company.to_owned(),
                is_whole: false,
                // [M] several locations are a company's install; one may be.
                is_bulk: always_bulk || locations.len() > 1,
                locations,
                user,
            }),
            (None, _) => Err("Choose a location, or the agency.".to_owned()),
            (Some(_), Some(_)) => Err("Choose locations of one agency.".to_owned()),
        }
    }

    /// The redirect address with `values`, and with the original `state` if `with_state`.
    fn back(&self, values: &[(&str, &str)], with_state: bool) -> ChooserReply {
        let redirect = self.get("redirect_uri").unwrap_or_default();
        let Ok(mut url) = url::Url::parse(redirect) else {
            return refusal("The redirect address is not valid.");
        };
        url.query_pairs_mut().extend_pairs(values);
        if let Some(state) = self.get("state").filter(|_| with_state) {
            url.query_pairs_mut().append_pair("state", state);
        }
        ChooserReply::Redirect(url.into())
    }
}

/// The page that a browser opens.
pub(crate) fn page(state: &Records, marketplace: &Marketplace, choice: &Choice) -> ChooserReply {
    match choice.check(marketplace) {
        Ok(()) => ChooserReply::Page(200, form(state, choice).into_string()),
        Err(problem) => refusal(&problem),
    }
}

/// The result of the form: a redirect to the app, with or without a code.
pub(crate) fn choose(
    state: &mut Records,
    marketplace: &mut Marketplace,
    choice: &Choice,
    now: i64,
) -> ChooserReply {
    if let Err(problem) = choice.check(marketplace) {
        return refusal(&problem);
    }
    let with_state = !marketplace.options().drops_state;
    if choice.get("decision") == Some("cancel") {
        // [I] this is documented nowhere.
        return choice.back(&[("error", "access_denied")], with_state);
    }
    let always_bulk = marketplace.options().is_always_bulk;
    let installation = match choice.installation(state, always_bulk) {
        Ok(installation) => installation,
        Err(problem) => return refusal(&problem),
    };
    install(state, marketplace, &installation, now);
    let code = marketplace.issue(IssuedCode {
        client: CLIENT_ID.to_owned(),
        redirect: choice.get("redirect_uri").unwrap_or_default().to_owned(),
        installation,
        scopes: choice.scopes(),
        expires: now + CODE_LIFE,
    });
    choice.back(&[("code", &code)], with_state)
}

/// Scopes that an app for sub-accounts can have: those that some operation accepts from a location's token, and [M]
/// those that exchange tokens.
fn allowed_scopes() -> BTreeSet<&'static str> {
    let operations = documents().operations.iter();
    let open = operations.filter(|operation| {
        operation.access.is_empty()
            || operation
                .access
                .iter()
                .any(|one| !one.starts_with("Agency"))
    });
    let mut scopes: BTreeSet<&str> = open.flat_map(|one| one.scopes.iter().copied()).collect();
    scopes.extend(["oauth.readonly", "oauth.write"]);
    scopes
}

fn id(record: &Value) -> Option<String> {
    record["id"].as_str().map(str::to_owned)
}

fn refusal(problem: &str) -> ChooserReply {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Sandbox" } }
            body { h1 { "This cannot be installed" } p { (problem) } }
        }
    };
    ChooserReply::Page(400, page.into_string())
}

fn form(state: &Records, choice: &Choice) -> Markup {
    const KEPT: [&str; 6] = [
        "response_type",
        "client_id",
        "version_id",
        "redirect_uri",
        "scope",
        "state",
    ];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Select accounts" }
            }
            body {
                h1 { "Select accounts" }
                p { "This sandbox page replaces HighLevel's own page. Nothing here is real." }
                form method="post" {
                    @for name in KEPT {
                        @if let Some(value) = choice.get(name) {
                            input type="hidden" name=(name) value=(value);
                        }
                    }
                    @for company in state.all("company") {
                        fieldset {
                            legend { (company["name"].as_str().unwrap_or_default()) }
                            p { label {
                                input type="radio" name="agency" value=(company["id"].as_str().unwrap_or_default());
                                " All locations, and future ones"
                            } }
                            @for location in state.all("location").filter(|one| one["companyId"] == company["id"]) {
                                p { label {
                                    input type="checkbox" name="location" value=(location["id"].as_str().unwrap_or_default());
                                    " " (location["name"].as_str().unwrap_or_default())
                                } }
                            }
                        }
                    }
                    p { label { "Signed in as " input name="user" value=(USER); } }
                    h2 { "The app may" }
                    ul { @for scope in choice.scopes() { li { (scope) } } }
                    button name="decision" value="allow" { "Allow" }
                    " "
                    button name="decision" value="cancel" { "Cancel" }
                }
            }
        }
    }
}
