//! A company's OAuth token in the settings. The server obtains the tokens of its locations itself.

use std::os::unix::fs::PermissionsExt;

use ::sandbox::{COMPANY, LOCATION, SandboxOptions};
use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use test_support::server::{TestServer, client};

const SUMMIT: &str = "locSummitFitness0001";

/// HighLevel's answer to the install of an app for the sandbox's company.
async fn installed(sandbox: &Sandbox) -> Value {
    let form = [
        ("client_id", "sandbox-client"),
        ("client_secret", "sandbox-secret"),
        ("grant_type", "authorization_code"),
        ("code", "sandbox-code-company"),
    ];
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = client().post(format!("{}/oauth/token", sandbox.url));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let reply = request.body(form).send().await;
    reply.expect("a reply").json().await.expect("a pair")
}

#[tokio::test]
async fn a_companys_locations_are_reached_by_tokens_of_their_own() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let pair = installed(&sandbox).await;
    std::fs::write(path("pair.json"), pair.to_string()).expect("written");
    let closed = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path("pair.json"), closed).expect("closed");
    std::fs::write(path("secret"), "sandbox-secret\n").expect("written");
    let settings = format!(
        "[companies.agency]\ncompany_id = \"{COMPANY}\"\nclient_id = \"sandbox-client\"\n\
         client_secret = {{ file = \"{}\" }}\npair_file = \"{}\"\n\
         [locations.harbor]\nlocation_id = \"{LOCATION}\"\ncompany = \"agency\"\n\
         [locations.summit]\nlocation_id = \"{SUMMIT}\"\ncompany = \"agency\"\n",
        path("secret"),
        path("pair.json")
    );
    std::fs::write(path("settings.toml"), settings).expect("written");
    let config = path("settings.toml");
    let mut server =
        TestServer::start_with(&sandbox.url, &[("HIGHLEVEL_MCP_CONFIG", &config)]).await;
    let call = async |server: &TestServer, tool: &str, arguments: Value| {
        // On loopback, without a credential: every user of this machine may use the server's accounts.
        let headers = [("accept-language", "en")];
        let (text, is_error) = server.call_with(&headers, tool, arguments).await;
        assert!(!is_error, "{tool}: {text}");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    for (alias, location) in [("harbor", LOCATION), ("summit", SUMMIT), ("summit", SUMMIT)] {
        let arguments = json!({"location": alias, "limit": 1});
        let found = call(&server, "contacts_get-contacts", arguments).await;
        assert_eq!(found["contacts"][0]["locationId"], location, "{found}");
    }
    let minted = sandbox.requests().await;
    let minted = minted
        .iter()
        .filter(|request| request["path"] == "/oauth/locationToken");
    assert_eq!(minted.count(), 2, "each location's token is asked for once");
    // The operations of the agency take the company's own token, which no call for a location gets.
    server.path = "/mcp/x/oauth";
    let arguments = json!({"location": "harbor", "appId": "sandbox"});
    let headers = [("accept-language", "en")];
    let (text, is_error) = server
        .call_with(&headers, "oauth_get-installed-location", arguments)
        .await;
    assert!(
        is_error && text.contains("token_class") && text.contains("keys create --agency"),
        "{text}"
    );
    server.path = "/mcp";
    let told = call(&server, "list_locations", json!({})).await;
    let rows = told["locations"].as_array().expect("locations");
    let aliases: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["alias"].as_str())
        .collect();
    assert_eq!(aliases, ["harbor", "summit"]);
    // The company's other locations are only for callers that may act for it.
    assert_eq!(rows.len(), 2, "{told}");
    // A client with its own company token is served the same way.
    let bearer = format!("Bearer {}", pair["access_token"].as_str().expect("a token"));
    let headers = [("authorization", bearer.as_str()), ("locationid", SUMMIT)];
    let (text, is_error) = server
        .call_with(&headers, "contacts_get-contacts", json!({"limit": 1}))
        .await;
    assert!(!is_error && text.contains(SUMMIT), "{text}");
    let nowhere = [("authorization", bearer.as_str())];
    let (text, is_error) = server
        .call_with(&nowhere, "contacts_get-contact", json!({"contactId": "c1"}))
        .await;
    assert!(
        is_error && text.contains("token_class") && text.contains("names no location"),
        "{text}"
    );
}

#[tokio::test]
async fn the_locations_of_an_installed_app_are_imported() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let pair = installed(&sandbox).await;
    std::fs::write(path("pair.json"), pair.to_string()).expect("written");
    let closed = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path("pair.json"), closed).expect("closed");
    std::fs::write(path("secret"), "sandbox-secret\n").expect("written");
    let settings = format!(
        "[companies.agency]\ncompany_id = \"{COMPANY}\"\nclient_id = \"sandbox-client\"\n\
         client_secret = {{ file = \"{}\" }}\npair_file = \"{}\"\n",
        path("secret"),
        path("pair.json")
    );
    std::fs::write(path("settings.toml"), settings).expect("written");
    let (config, state) = (path("settings.toml"), path("state"));
    let variables = [
        ("HIGHLEVEL_MCP_CONFIG", config.as_str()),
        ("HIGHLEVEL_MCP_STATE_FOLDER", &state),
        ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", &sandbox.url),
    ];
    for (arguments, code, part) in [
        (
            vec!["import", "--from-agency", "agncy"],
            2,
            "did you mean agency?",
        ),
        (vec!["import", "--from-agency", "agency"], 0, "are added"),
        (
            vec!["test", "harbor-dental"],
            0,
            "ok\tharbor-dental\tHarbor Dental",
        ),
        (vec!["import", "--from-agency", "agency"], 0, "0 are added"),
    ] {
        let arguments = [vec!["locations"], arguments].concat();
        let done = crate::stdio::program(&arguments, &variables).output().await;
        let done = done.expect("run");
        super::commands::Desk::judge(&arguments, &done, code, part);
    }
    let text = std::fs::read_to_string(&config).expect("text");
    assert!(
        text.contains("[locations.harbor-dental]") && text.contains(SUMMIT),
        "{text}"
    );
    assert!(text.contains("company = \"agency\""), "{text}");
}
