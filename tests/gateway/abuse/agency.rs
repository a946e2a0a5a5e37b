//! Set-ups for several attacks: an agency's locations, each with its own token or the agency's.

use std::fmt::Write;

use super::highlevel::{AGENCY, AGENCY_TOKEN};
use super::setup::Setup;

/// The access key in the settings.
pub(super) const OPERATOR: &str = "operator-0123456789abcdef0123456789";

/// The access key as a header.
pub(super) const BY_OPERATOR: [(&str, &str); 1] = [("x-access-key", OPERATOR)];

/// The id of a location.
pub(super) fn location(number: usize) -> String {
    format!("locBranch{number:011}")
}

/// The Authorization header of a token.
pub(super) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The locations b01, b02 and so on, each with a token that HighLevel knows, and an operator with a key.
pub(super) fn branches(number: usize) -> Setup {
    let setup = Setup::new().set("HIGHLEVEL_MCP_SERVER_ACCESS_KEY", OPERATOR);
    let mut text = String::new();
    for number in 1..=number {
        let id = location(number);
        setup.write(&format!("token-{number}"), &format!("pit-of-{id}"));
        let token = setup.text_path(&format!("token-{number}"));
        let _ = writeln!(
            text,
            "[locations.b{number:02}]\nname = \"Branch {number:02}\"\nlocation_id = \"{id}\"\ntoken = {{ file = \"{token}\" }}"
        );
    }
    setup.write("settings.toml", &text);
    setup
}

/// The same locations, reached by the agency's token.
pub(super) fn company(number: usize) -> Setup {
    let setup = Setup::new().set("HIGHLEVEL_MCP_SERVER_ACCESS_KEY", OPERATOR);
    let pair = serde_json::json!({
        "access_token": AGENCY_TOKEN, "refresh_token": "agency-refresh", "token_type": "Bearer",
        "expires_in": 86_399, "expires_at": 4_000_000_000_u32, "userType": "Company", "companyId": AGENCY,
    });
    setup.write("pair.json", &pair.to_string());
    setup.write("secret", "agency-secret");
    let mut text = format!(
        "[companies.agency]\ncompany_id = \"{AGENCY}\"\nclient_id = \"agency-client\"\n\
         client_secret = {{ file = \"{}\" }}\npair_file = \"{}\"\n",
        setup.text_path("secret"),
        setup.text_path("pair.json")
    );
    for number in 1..=number {
        let id = location(number);
        let _ = writeln!(
            text,
            "[locations.b{number:02}]\nname = \"Branch {number:02}\"\nlocation_id = \"{id}\"\ncompany = \"agency\""
        );
    }
    setup.write("settings.toml", &text);
    setup
}
