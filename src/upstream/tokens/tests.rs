//! The token of a call by caller, operation and location.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::budget::Budget;
use crate::config::{Config, Flags};
use crate::upstream::Caller;
use crate::upstream::company::{App, Company, CompanyAppSettings, Installs};
use crate::upstream::transport::Transport;
use state::vault::Vault;

fn tool(token: TokenClass) -> &'static tool::Tool {
    let tools = crate::catalog::TOOLS;
    let found = tools.iter().find(|tool| tool.token == token);
    found.expect("a tool of this class")
}

fn servers_company() -> Credential {
    let config = Config::from_sources(&Flags::default(), []).expect("defaults");
    let transport = Transport::new(&config.upstream, &config.limits).expect("a transport");
    let settings = CompanyAppSettings {
        company_id: TenantId::parse("C0").expect("an id"),
        client_id: "app".to_owned(),
        client_secret: "secret".into(),
        pair_file: std::env::temp_dir().join("pair.json"),
    };
    let store = state::Store::in_memory().expect("a store");
    Credential::Company(Company::new(&transport.oauth(), &store, settings).expect("a company"))
}

/// Of the location L0.
fn install() -> Credential {
    let config = Config::from_sources(&Flags::default(), []).expect("defaults");
    let transport = Transport::new(&config.upstream, &config.limits).expect("a transport");
    let app = App {
        client_id: "app".to_owned(),
        client_secret: "secret".into(),
    };
    let vault = Vault::new(&state::Store::in_memory().expect("a store"));
    let installs = Installs::new(&transport.oauth(), &vault, app);
    installs
        .of_location("cre_a", &TenantId::parse("L0").expect("an id"))
        .into()
}

fn jwt(claims: &str) -> Credential {
    let claims = URL_SAFE_NO_PAD.encode(claims);
    Credential::parse(&format!("e30.{claims}.x")).expect("a token")
}

#[test]
fn callers_bound_to_locations_never_get_the_agencys_token() {
    use TokenClass::{Agency, Either, Location, Unknown};
    let pit = || Credential::parse("pit-a").expect("a token");
    let agency_jwt = || jwt(r#"{"authClass": "Company", "authClassId": "C0"}"#);
    let location_jwt = || jwt(r#"{"authClass": "Location", "authClassId": "L0"}"#);
    let credentials: [(&str, Credential); 5] = [
        ("a company of the settings", servers_company()),
        ("a client's company token", agency_jwt()),
        ("a private integration", pit()),
        ("a location's token", location_jwt()),
        ("an install in a location", install()),
    ];
    // Each with a location and without one. "refused" names the remedy's first word.
    let company = |agency: bool, takes: TokenClass, named: bool| match (agency, takes, named) {
        (true, Agency | Either, _) | (true, Unknown, false) => "the company's",
        (false, Agency, _) => "refused: Ask",
        (_, _, true) => "the location's",
        (_, _, false) => "refused: Name",
    };
    let own = |is_location: bool, agency: bool, takes: TokenClass| match (agency, takes) {
        (false, Agency) => "refused: Ask",
        (true, Agency) if is_location => "refused: Have",
        _ => "its own",
    };
    for (name, credential) in credentials {
        for agency in [false, true] {
            for takes in [Agency, Either, Location, Unknown] {
                for named in [false, true] {
                    let target = Target {
                        tool: tool(takes),
                        version: "",
                        location: TenantId::parse("L0").filter(|_| named),
                        names_location: named,
                    };
                    let sender = Sender {
                        caller: Caller {
                            credential: credential.clone(),
                            location: None,
                            company: None,
                            configured: None,
                            home: None,
                        },
                        known: false,
                        agency,
                        address: None,
                        budget: Budget::default(),
                    };
                    let got = match source(&target, &sender) {
                        Ok(Source::Own(_) | Source::Install(_)) => "its own".to_owned(),
                        Ok(Source::Company) => "the company's".to_owned(),
                        Ok(Source::OfLocation(_)) => "the location's".to_owned(),
                        Err(failure) => {
                            assert_eq!(failure.class, FailureClass::TokenClass);
                            assert!(failure.not_executed());
                            let remedy = failure.remedy.expect("a remedy");
                            format!("refused: {}", remedy.split(' ').next().unwrap_or_default())
                        }
                    };
                    let expected = if name.contains("company") {
                        company(agency, takes, named)
                    } else {
                        own(name.contains("location"), agency, takes)
                    };
                    let is_servers_own = sender.caller.is_servers_own();
                    // A client can unbind its connection. For the server's own credentials the operator decides.
                    let expected = match expected {
                        "refused: Ask" if !is_servers_own => "refused: Have",
                        expected => expected,
                    };
                    assert_eq!(
                        got, expected,
                        "{name}, agency {agency}, {takes:?}, named {named}"
                    );
                }
            }
        }
    }
}

#[test]
fn nobody_has_nothing_to_send_with() {
    for agency in [false, true] {
        for takes in [TokenClass::Either, TokenClass::Location, TokenClass::Agency] {
            let target = Target {
                tool: tool(takes),
                version: "",
                location: TenantId::parse("L0"),
                names_location: true,
            };
            let sender = Sender {
                caller: Caller::nobody(),
                known: true,
                agency,
                address: None,
                budget: Budget::default(),
            };
            let Err(failure) = source(&target, &sender) else {
                panic!("a token")
            };
            assert!(failure.not_executed(), "{agency} {takes:?}");
        }
    }
}
