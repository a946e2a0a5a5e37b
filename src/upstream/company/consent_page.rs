//! The address of HighLevel's page where a person chooses where the operator's app is installed.

use reqwest::Url;

use super::app_id;
use crate::config::MarketplaceSettings;

/// The page, which sends the person's browser to `redirect` with `state`. Fails where the settings name no address.
///
/// HighLevel's documents know no PKCE, so there is no challenge: the app's secret alone lets nobody else use the code.
pub fn consent_page(
    settings: &MarketplaceSettings,
    redirect: &str,
    state: &str,
) -> Result<Url, url::ParseError> {
    let page = match (settings.url.as_str(), settings.white_label) {
        ("", false) => "https://marketplace.gohighlevel.com/v2/oauth/chooselocation",
        ("", true) => "https://marketplace.leadconnectorhq.com/v2/oauth/chooselocation",
        (own, _) => own,
    };
    let mut page = Url::parse(page)?;
    let version = match settings.version_id.as_str() {
        "" => app_id(&settings.client_id),
        version => version,
    };
    page.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("version_id", version)
        .append_pair("redirect_uri", redirect)
        .append_pair("scope", &settings.scopes.join(" "))
        .append_pair("state", state);
    Ok(page)
}
