//! The precedence of the sources, and names that are no settings.

use secrecy::ExposeSecret;

use super::*;

fn load(flags: &Flags, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    Config::from_sources(flags, variables).map_err(|error| error.to_string())
}

fn file(text: &str) -> (tempfile::NamedTempFile, Flags) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    let flags = Flags {
        config: Some(file.path().to_owned()),
        ..Flags::default()
    };
    (file, flags)
}

#[test]
fn flags_come_before_environment_before_file_before_defaults() {
    let (_file, mut flags) = file("[server]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"");
    let base = load(&Flags::default(), &[]).expect("defaults");
    assert_eq!(base.server.listen.to_string(), "127.0.0.1:8100");
    assert!(base.account.is_empty());
    assert_eq!(load(&flags, &[]).expect("file").server.listen.port(), 1);
    let variables = [
        ("HIGHLEVEL_MCP_SERVER_LISTEN", "127.0.0.1:2"),
        ("HIGHLEVEL_MCP_SERVER_ALLOWED_HOSTS", "a.example, b.example"),
        ("HIGHLEVEL_MCP_TOOLS_MAX_ANSWER_BYTES", "5000"),
        ("HIGHLEVEL_TOKEN", "pit-1"),
        ("OTHER", "x"),
    ];
    let config = load(&flags, &variables).expect("environment");
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.allowed_hosts, ["a.example", "b.example"]);
    assert_eq!(config.tools.max_answer_bytes, 5000);
    assert_eq!(config.account.token.expose_secret(), "pit-1");
    assert_eq!(config.log.level, Level::Warn);
    assert!(!format!("{config:?}").contains("pit-1"));
    flags.listen = Some("127.0.0.1:3".to_owned());
    flags.allowed_hosts = vec!["c.example".to_owned()];
    let config = load(&flags, &variables).expect("flags");
    assert_eq!(config.server.listen.port(), 3);
    assert_eq!(config.server.allowed_hosts, ["c.example"]);
}

#[test]
fn unknown_settings_are_named() {
    fn check(flags: &Flags, variables: &[(&str, &str)], part: &str) {
        let error = load(flags, variables).expect_err(part);
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
    let usual = Flags::default();
    check(
        &usual,
        &[("HIGHLEVEL_MCP_SERVER_LISTN", "x")],
        "HIGHLEVEL_MCP_SERVER_LISTN is not a setting; did you mean HIGHLEVEL_MCP_SERVER_LISTEN?",
    );
    check(
        &usual,
        &[("HIGHLEVEL_MCP_LISTEN", "x")],
        "HIGHLEVEL_MCP_LISTEN is not a setting",
    );
    check(
        &usual,
        &[("HIGHLEVEL_MCP_SERVER_MAX_BODY_BYTES", "many")],
        "HIGHLEVEL_MCP_SERVER_MAX_BODY_BYTES must be a whole number",
    );
    check(
        &usual,
        &[("HIGHLEVEL_MCP_LOG_LEVEL", "loud")],
        "log.level \"loud\" does not exist",
    );
    check(
        &usual,
        &[("HIGHLEVEL_MCP_CONFIG", "/gone.toml")],
        "/gone.toml cannot be read",
    );
    let (one, flags) = file("[server]\nlisten = \"127.0.0.1:1\"\nport = 2");
    check(
        &flags,
        &[],
        &format!(
            "{}, line 3: [server] port is not a setting",
            one.path().display()
        ),
    );
    let (_two, flags) = file("[sever]\nlisten = \"127.0.0.1:1\"");
    check(&flags, &[], "did you mean [server]?");
    let (_three, flags) = file("[server");
    check(&flags, &[], "is not TOML");
    let listen = Flags {
        listen: Some("mcp.example.com".to_owned()),
        ..Flags::default()
    };
    check(
        &listen,
        &[],
        "--listen: server.listen \"mcp.example.com\" is not an address and port. Give both, such as 127.0.0.1:8100",
    );
}

#[test]
fn settings_that_protect_nothing_are_refused() {
    fn check(name: &str, value: &str, expected: Result<(), &str>) {
        let loaded = load(&Flags::default(), &[(name, value)]);
        match (loaded, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.contains(part), "{part:?}: {error}"),
            (loaded, _) => panic!("{name}={value}: {:?}", loaded.map(|_| ())),
        }
    }
    let key = "HIGHLEVEL_MCP_SERVER_ACCESS_KEY";
    check(key, "", Ok(()));
    check(key, &"k".repeat(23), Err("fewer than 24 characters"));
    check(key, &"k".repeat(24), Ok(()));
    let proxies = "HIGHLEVEL_MCP_SERVER_TRUSTED_PROXIES";
    check(proxies, "10.0.0.0/8, 192.0.2.1, 2001:db8::/32", Ok(()));
    check(proxies, "proxy.example", Err("neither an address nor"));
    let url = "HIGHLEVEL_MCP_UPSTREAM_BASE_URL";
    check(url, "https://me:secret@example.com", Err("a password"));
    check(url, "https://me@example.com", Err("a user name"));
    check(url, "https://example.com/me@here", Ok(()));
    check(url, "foo", Err("is not an address"));
    check(url, "https://example.com/#z", Err("a query or fragment"));
    check(url, "https://example.com?x=1", Err("a query or fragment"));
    let hosts = "HIGHLEVEL_MCP_SERVER_ALLOWED_HOSTS";
    check(hosts, "mcp.example.com, 10.0.0.1:8100, [::1]", Ok(()));
    check(
        hosts,
        "bad value",
        Err("\"bad value\", which is not a host"),
    );
    check(hosts, "https://a.example", Err("which is not a host"));
    let origins = "HIGHLEVEL_MCP_SERVER_ALLOWED_ORIGINS";
    check(
        origins,
        "https://app.example.com, http://localhost:3000, chrome-extension://abc, null",
        Ok(()),
    );
    for origin in ["bad value", "app.example.com", "https://app.example.com/"] {
        check(origins, origin, Err("which is not the origin of a page"));
    }
    let database = "HIGHLEVEL_MCP_STATE_URL";
    check(database, "postgres://me:secret@localhost/state", Ok(()));
    check(database, "nope nope", Err("state.url is not an address of"));
}

#[test]
fn tokens_in_plain_text_are_noticed() {
    fn check(url: &str, expected: bool) {
        let config = load(
            &Flags::default(),
            &[("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", url)],
        );
        let upstream = config.expect("settings").upstream;
        assert_eq!(upstream.is_plain_text(), expected, "{url}");
    }
    check("https://services.leadconnectorhq.com", false);
    check("http://services.leadconnectorhq.com", true);
    check("http://127.0.0.1:8080", false);
    check("http://[::1]:8080", false);
    check("http://localhost", false);
    check("http://localhost.example", true);
}

#[test]
fn a_port_alone_is_one_of_this_machine() {
    fn check(listen: Option<&str>, port: Option<u16>, expected: Result<&str, &str>) {
        let flags = Flags {
            listen: listen.map(str::to_owned),
            port,
            ..Flags::default()
        };
        match (load(&flags, &[]), expected) {
            (Ok(config), Ok(expected)) => assert_eq!(config.server.listen.to_string(), expected),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (loaded, _) => panic!("{listen:?} {port:?}: {:?}", loaded.map(|_| ())),
        }
    }
    check(Some("8503"), None, Ok("127.0.0.1:8503"));
    check(Some("localhost:8503"), None, Ok("127.0.0.1:8503"));
    check(Some("[::1]:8503"), None, Ok("[::1]:8503"));
    check(None, Some(8503), Ok("127.0.0.1:8503"));
    check(Some("0.0.0.0"), None, Err("\"0.0.0.0\" has no port"));
    check(Some("70000"), None, Err("is not an address and port"));
    check(
        Some(":8503"),
        None,
        Err("only a port, which then is one of this machine"),
    );
    let (_file, mut flags) = file("[server]\nlisten = 8504\n");
    let listen = |flags: &Flags| load(flags, &[]).map(|config| config.server.listen.to_string());
    assert_eq!(listen(&flags).as_deref(), Ok("127.0.0.1:8504"));
    // Replaces the port of the address in a file.
    let (_other, named) = file("[server]\nlisten = \"10.0.0.1:1\"\n");
    flags.config = named.config;
    flags.port = Some(8505);
    assert_eq!(listen(&flags).as_deref(), Ok("10.0.0.1:8505"));
}

#[test]
fn metrics_that_could_listen_nowhere_are_refused() {
    let metrics = |value| {
        load(
            &Flags::default(),
            &[("HIGHLEVEL_MCP_METRICS_LISTEN", value)],
        )
    };
    assert!(metrics("").is_ok());
    let error = metrics("8101").expect_err("no address");
    assert!(
        error.contains("metrics.listen \"8101\" is not an address and port"),
        "{error}"
    );
}

/// The author of a folder must not send this user's token to an address of their choice.
#[test]
fn a_found_file_may_not_set_the_address_for_tokens() {
    fn check(is_of_folder: bool, address: &str, is_taken: bool) {
        let (kept, flags) = file(&format!("[upstream]\nbase_url = \"{address}\"\n"));
        let path = kept.path().to_owned();
        let found = SettingsFile { path, is_of_folder };
        let joined = Config::join(&flags, Some(found), []);
        assert_eq!(joined.is_ok(), is_taken, "{address}");
        if let Err(error) = joined {
            let what = error.to_string();
            assert!(
                what.contains("line 2: upstream.base_url decides where tokens are sent"),
                "{what}"
            );
        }
    }
    check(true, "https://evil.example", false);
    check(
        true,
        "https://services.leadconnectorhq.com.evil.example",
        false,
    );
    check(true, "https://services.leadconnectorhq.com", true);
    check(true, "http://127.0.0.1:8200", true);
    check(true, "http://127.0.0.1@evil.example", false);
    check(false, "https://evil.example", true);
}
