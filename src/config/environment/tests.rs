//! Every setting can be given by the environment, as its default and as another value, and faults are refused in words.

use toml::{Table, Value};

use crate::config::{Config, DEFAULTS, Flags};

/// Other values than the defaults, for texts and lists with a fixed set of values.
const OTHERS: [(&str, &str); 27] = [
    ("tools.mark_strangers_text", "all"),
    ("server.listen", "127.0.0.1:9"),
    ("server.access_key", "a-key-of-thirty-characters-123"),
    ("server.own_account", "key"),
    ("server.location_header", "default"),
    ("server.tls", "proxy"),
    ("server.trusted_proxies", "10.0.0.0/8, 192.0.2.1"),
    (
        "server.allowed_origins",
        r#"["https://a.example", "https://b.example"]"#,
    ),
    ("upstream.base_url", "https://example.com"),
    ("upstream.prefer_version", "v3"),
    ("state.url", "postgres://localhost/state"),
    ("state.keys", r#"[{"file": "/a"}, {"env": "A_KEY"}]"#),
    ("oauth.url", "https://mcp.example.com"),
    ("oauth.highlevel_tokens", "accept"),
    ("oauth.who", "anyone"),
    ("oauth.register", "static"),
    ("oauth.access_for", "1h"),
    ("oauth.refresh_idle", "1h"),
    ("oauth.refresh_for", "1h"),
    ("oauth.refresh_grace", "1h"),
    ("audit.arguments", "full"),
    ("log.level", "debug"),
    ("log.format", "json"),
    ("metrics.listen", "127.0.0.1:9"),
    ("account.token", "pit-other"),
    ("account.location_id", "L9"),
    ("account.company_id", "C9"),
];

fn load(variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    Config::from_sources(&Flags::default(), variables).map_err(|error| error.to_string())
}

/// The settings, with secrets.
fn shown(config: &Config) -> String {
    use secrecy::ExposeSecret;
    let secrets = [&config.server.access_key, &config.account.token];
    let secrets = secrets.map(ExposeSecret::expose_secret);
    let addresses = [&config.state.url, &config.windows.url].map(|url| url.read(config));
    let addresses = addresses.map(|url| url.expect("a text").expose_secret().to_owned());
    format!("{config:?} {secrets:?} {addresses:?}")
}

/// Every setting: its name, its variable and its default.
fn settings() -> Vec<(String, String, Value)> {
    let defaults: Table = DEFAULTS.parse().expect("TOML");
    let mut settings = Vec::new();
    for (section, keys) in &defaults {
        for (key, default) in keys.as_table().expect("a section") {
            let variable = format!("HIGHLEVEL_MCP_{section}_{key}").to_uppercase();
            settings.push((format!("{section}.{key}"), variable, default.clone()));
        }
    }
    settings
}

/// The text of a value in a variable, and another value.
fn write_values(name: &str, default: &Value) -> (String, String) {
    let other = OTHERS.iter().find(|(key, _)| *key == name);
    let (same, changed) = match default {
        Value::Integer(number) => (number.to_string(), (number + 1).to_string()),
        Value::Boolean(is) => (is.to_string(), (!is).to_string()),
        Value::String(text) => (text.clone(), "other".to_owned()),
        Value::Array(items) => {
            let items: Vec<&str> = items
                .iter()
                .map(|item| item.as_str().expect("a text"))
                .collect();
            (items.join(","), "one, two".to_owned())
        }
        _ => panic!("{name} is of a type that no variable gives"),
    };
    (
        same,
        other.map_or(changed, |(_, value)| (*value).to_owned()),
    )
}

#[test]
fn every_setting_is_given_by_the_environment() {
    let base = shown(&load(&[]).expect("defaults"));
    let settings = settings();
    assert!(settings.len() > 50, "{}", settings.len());
    for (name, variable, default) in &settings {
        if name == "approvals.webhooks" {
            // Its items are tables, which only JSON can give.
            let one = "[{\"url\": {\"env\": \"URL\"}}]";
            let loaded = load(&[(variable, one)]).unwrap_or_else(|error| panic!("{error}"));
            assert_ne!(shown(&loaded), base, "{variable}={one}");
            continue;
        }
        let (same, other) = write_values(name, default);
        let loaded = load(&[(variable, &same)]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(shown(&loaded), base, "{variable}={same}");
        let loaded = load(&[(variable, &other)]).unwrap_or_else(|error| panic!("{error}"));
        assert_ne!(shown(&loaded), base, "{variable}={other}");
        // With a line break at the end, as in files of secrets.
        let broken = load(&[(variable, &format!("{other}\n"))]).expect("trimmed");
        assert_eq!(shown(&broken), shown(&loaded), "{variable}");
    }
    for (name, _) in OTHERS {
        assert!(settings.iter().any(|(known, _, _)| known == name), "{name}");
    }
}

#[test]
fn a_value_of_a_wrong_type_is_named_with_the_accepted_type() {
    for (name, variable, default) in settings() {
        let (value, takes) = match default {
            Value::Integer(_) => ("many", "a whole number"),
            Value::Boolean(_) => ("perhaps", "true or false"),
            Value::Array(_) => ("[1", "a list"),
            _ => continue,
        };
        let error = load(&[(&variable, value)]).expect_err(&name);
        assert!(
            error.contains(&variable) && error.contains(takes),
            "{error}"
        );
    }
}

#[test]
fn words_for_yes_and_no_are_taken() {
    fn check(value: &str, expected: Result<bool, &str>) {
        let loaded = load(&[("HIGHLEVEL_MCP_AUDIT_ENABLED", value)]);
        match (loaded.map(|config| config.audit.enabled), expected) {
            (Ok(is), Ok(expected)) => assert_eq!(is, expected, "{value}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (is, _) => panic!("{value}: {is:?}"),
        }
    }
    for value in ["true", "TRUE", "True", "1", "yes", "on", " true\n"] {
        check(value, Ok(true));
    }
    for value in ["false", "False", "0", "no", "off"] {
        check(value, Ok(false));
    }
    for value in ["", "2", "enabled"] {
        check(
            value,
            Err("HIGHLEVEL_MCP_AUDIT_ENABLED must be true or false"),
        );
    }
}

#[test]
fn a_wrong_value_is_reported_with_its_variable() {
    fn check(variable: &str, value: &str, part: &str) {
        let error = load(&[("HIGHLEVEL_MCP_LOG_FORMAT", "json"), (variable, value)]);
        let error = error.map(drop).expect_err(part);
        let all = error.contains(part) && error.contains(variable);
        assert!(all, "{part:?} is not in {error:?}");
    }
    check(
        "HIGHLEVEL_MCP_LOG_LEVEL",
        "loud",
        "log.level \"loud\" does not exist; give one of",
    );
    check(
        "HIGHLEVEL_MCP_SERVER_LISTEN",
        "",
        "gives a wrong value: server.listen \"\" is not an address and port",
    );
    check(
        "HIGHLEVEL_MCP_SERVER_LISTEN",
        "mcp.example.com",
        "is not an address and port",
    );
    check(
        "HIGHLEVEL_MCP_SERVER_MAX_CALLS",
        "-1",
        "server.max_calls is -1; the smallest that works is 1",
    );
    check("HIGHLEVEL_MCP_SERVER_MAX_CALLS", "off", "a whole number");
    check(
        "HIGHLEVEL_MCP_AUDIT_KEEP_DAYS",
        "5000000000",
        "a whole number",
    );
    check(
        "HIGHLEVEL_MCP_SERVER_TRUSTED_PROXIES",
        "proxy.example",
        "neither an address nor",
    );
    check("HIGHLEVEL_MCP_STATE_KEYS", "/a,/b", "a JSON array");
    check("HIGHLEVEL_MCP_LOCATIONS", "acme", "a JSON object");
    check(
        "HIGHLEVEL_MCP_LOCATIONS",
        r#"{"acme": {"location": "L1"}}"#,
        "location_id",
    );
    check(
        "HIGHLEVEL_MCP_SERVER",
        r#"{"port": 1}"#,
        "[server] port is not a setting",
    );
    check(
        "HIGHLEVEL_MCP_LOCATIONS_ACME_TOKEN",
        "x",
        "is not a setting",
    );
    check(
        "HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL",
        "0",
        "limits.calls_per_interval is 0; it goes from 1 to 1000000000000",
    );
    check(
        "HIGHLEVEL_MCP_LOCATION",
        "{}",
        "did you mean HIGHLEVEL_MCP_LOCATIONS?",
    );
    check(
        "HIGHLEVEL_MCP_CONFG",
        "x",
        "did you mean HIGHLEVEL_MCP_CONFIG?",
    );
    check(
        "HIGHLEVEL_MCP_SEVER_LISTEN",
        "x",
        "did you mean HIGHLEVEL_MCP_SERVER_LISTEN?",
    );
}

#[test]
fn sections_are_given_whole() {
    let config = load(&[
        (
            "HIGHLEVEL_MCP_LOCATIONS",
            r#"{"acme": {"location_id": "L1", "token": {"env": "ACME"}}, "bob": {"location_id": "L2", "company": "agency"}}"#,
        ),
        (
            "HIGHLEVEL_MCP_COMPANIES",
            r#"{"agency": {"company_id": "C1", "client_id": "i", "client_secret": {"env": "S"}, "pair_file": "/p"}}"#,
        ),
        ("HIGHLEVEL_MCP_SERVER", r#"{"max_calls": 7, "allowed_hosts": ["a.example"]}"#),
        ("HIGHLEVEL_MCP_SERVER_MAX_CALLS_PER_CALLER", "3"),
    ])
    .expect("settings");
    assert_eq!(config.locations.keys().collect::<Vec<_>>(), ["acme", "bob"]);
    assert_eq!(config.companies["agency"].company_id, "C1");
    let server = &config.server;
    assert_eq!((server.max_calls, server.max_calls_per_caller), (7, 3));
    assert_eq!(server.allowed_hosts, ["a.example"]);
}
