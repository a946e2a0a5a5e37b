//! Every mistake is reported with its line and the likely meaning, and none repeats a secret.

use std::collections::BTreeSet;

use super::*;
use crate::config::{DEFAULTS, Flags};

/// The settings of this file, or the error without the file's own path.
fn load(text: &str) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    let flags = Flags {
        config: Some(file.path().to_owned()),
        ..Flags::default()
    };
    let place = file.path().display().to_string();
    Config::from_sources(&flags, []).map_err(|error| error.to_string().replace(&place, "FILE"))
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(load(text).map(drop).expect_err(text), expected);
}

#[test]
fn a_misspelt_name_is_reported_with_its_line_and_the_nearest_name() {
    check(
        "[server]\n\nlisen = \"127.0.0.1:1\"\n",
        "FILE, line 3: [server] lisen is not a setting; did you mean listen?",
    );
    check(
        "# Ours.\n[sever]\nlisten = \"127.0.0.1:1\"\n",
        "FILE, line 2: [sever] is not a section of the settings; did you mean [server]?",
    );
    check(
        "[location.acme]\nlocation_id = \"L\"\n",
        "FILE, line 1: [location] is not a section of the settings; did you mean [locations]?",
    );
    check(
        "max_calls = 3\n",
        "FILE, line 1: max_calls is in no section. Put it under [server]",
    );
    check(
        "[log]\nexpire_minutes = 3\n",
        "FILE, line 2: [log] expire_minutes is not a setting; it belongs under [approvals]",
    );
    check(
        "[locations.acme]\nlocation_id = \"L\"\ntokn = { env = \"A\" }\n",
        "FILE, line 3: [locations.acme] tokn is not a setting; did you mean token?",
    );
    check(
        "[companies]\nagency = { company = \"C\" }\n",
        "FILE, line 2: [companies.agency] company is not a setting; did you mean company_id?",
    );
    check(
        "server = 3\n",
        "FILE, line 1: server must be a section: [server]",
    );
    check(
        "[marketplace]\nclient_secrt = { env = \"A\" }\n",
        "FILE, line 2: [marketplace] client_secrt is not a setting; did you mean client_secret?",
    );
    check(
        "[server]\nzzz = 1\n",
        "FILE, line 2: [server] zzz is not a setting; `highlevel-mcp config defaults` prints all settings",
    );
}

#[test]
fn all_mistakes_are_named_at_once() {
    let text = "[server]\nlisen = \"127.0.0.1:1\"\nmax_calls = 0\n[log]\nlevel = \"loud\"\n\
                [locations.acme]\nname = \"Acme\"\n";
    let error = load(text).map(drop).expect_err("four mistakes");
    let mut lines = error.lines();
    assert_eq!(lines.next(), Some("the settings have 4 mistakes"));
    let rest: Vec<&str> = lines.map(str::trim).collect();
    assert_eq!(rest.len(), 4, "{error}");
    for part in [
        "FILE, line 2: [server] lisen is not a setting; did you mean listen?",
        "FILE, line 3: server.max_calls is 0; the smallest that works is 1",
        "FILE, line 5: log.level \"loud\" does not exist; give one of error, warn",
        "FILE, line 6: [locations.acme] has no location_id",
    ] {
        assert!(
            rest.iter().any(|line| line.starts_with(part)),
            "{part}: {error}"
        );
    }
}

#[test]
fn a_number_with_which_nothing_works_is_refused() {
    /// 0 means something: at once, none, or no bound.
    const MAY_BE_ZERO: [&str; 12] = [
        "server.max_upload_bytes",
        "server.drain_ms",
        "server.shutdown_grace_ms",
        "limits.max_wait_ms",
        "limits.queue",
        "tools.max_file_bytes",
        "policy.sends_per_hour",
        "policy.preview_above",
        "approvals.wait_ms",
        "usage.keep_days",
        "state.outage_reads_ms",
        "state.start_wait_ms",
    ];
    let defaults: Table = DEFAULTS.parse().expect("TOML");
    let mut zeros = BTreeSet::new();
    for (section, keys) in &defaults {
        for (key, default) in keys.as_table().expect("a section") {
            if !default.is_integer() {
                continue;
            }
            match load(&format!("[{section}]\n{key} = 0\n")) {
                Ok(_) => drop(zeros.insert(format!("{section}.{key}"))),
                Err(error) => assert!(
                    error.contains("the smallest that works is 1")
                        || error.contains("from 1 to 100"),
                    "{error}"
                ),
            }
        }
    }
    let expected = MAY_BE_ZERO.map(str::to_owned);
    assert_eq!(zeros, BTreeSet::from(expected));
    check(
        "[limits]\npercent = 150\n",
        "FILE, line 2: limits.percent is 150; it goes from 1 to 100",
    );
}

#[test]
fn a_secret_in_the_place_of_its_source_is_not_repeated() {
    for text in [
        "[locations.acme]\nlocation_id = \"L\"\ntoken = \"pit-secret\"\n",
        "[companies.acme]\ncompany_id = \"C\"\nclient_secret = \"pit-secret\"\n",
        "[marketplace]\nclient_secret = \"pit-secret\"\n",
        "[state]\nkeys = [\"pit-secret\"]\n",
    ] {
        let error = load(text).map(drop).expect_err(text);
        assert!(error.contains("names the place of the secret"), "{error}");
        assert!(!error.contains("pit-secret"), "{error}");
    }
    // Nor a line that is not TOML.
    check(
        "[account]\ntoken = pit-secret\n",
        &load("[account]\ntoken = pit-other\n")
            .map(drop)
            .expect_err("no TOML"),
    );
}

#[test]
fn the_members_of_a_location_and_of_a_company_are_all_known() {
    for (map, members) in MAPS {
        let text = match map {
            "locations" => misfit::<Location>(Value::Table(Table::from_iter([(
                "zzz".to_owned(),
                Value::from(1),
            )]))),
            _ => misfit::<CompanySettings>(Value::Table(Table::from_iter([(
                "zzz".to_owned(),
                Value::from(1),
            )]))),
        };
        let text = text.expect("zzz is not a member");
        let known: Vec<&str> = text.split('`').skip(3).step_by(2).collect();
        assert_eq!(known, members, "{text}");
    }
    let zzz = Table::from_iter([("zzz".to_owned(), Value::from(1))]);
    let text = misfit::<WebhookSettings>(Value::Table(zzz)).expect("zzz is not a member");
    let known: Vec<&str> = text.split('`').skip(3).step_by(2).collect();
    assert_eq!(known, WEBHOOK_MEMBERS, "{text}");
}

#[test]
fn a_webhook_is_corrected_at_its_own_line() {
    let first = "[approvals]\nwait_ms = 1\n[[approvals.webhooks]]\nurl = \"https://hooks.example/T0/secret\"\n";
    for (second, expected) in [
        (
            "[[approvals.webhooks]]\nurl = 3\n",
            "FILE, line 6: [[approvals.webhooks]] url must be a text, not a number",
        ),
        (
            "[[approvals.webhooks]]\nurl = \"u\"\nshap = \"slack\"\n",
            "FILE, line 7: [[approvals.webhooks]] shap is not a setting; did you mean shape?",
        ),
        (
            "[[approvals.webhooks]]\nurl = \"u\"\nshape = \"slak\"\n",
            "FILE, line 7: [[approvals.webhooks]] shape \"slak\" does not exist; give one of plain, slack, teams",
        ),
        (
            "[[approvals.webhooks]]\nshape = \"slack\"\n",
            "FILE, line 5: [[approvals.webhooks]] has no url",
        ),
    ] {
        check(&format!("{first}{second}"), expected);
    }
    check(
        "[approvals]\nwebhooks = [\"https://hooks.example/T0/secret\"]\n",
        "FILE, line 2: approvals.webhooks must be sections: [[approvals.webhooks]]",
    );
}

#[test]
fn a_value_of_another_kind_is_described_in_words() {
    for (text, expected) in [
        (
            "[server]\nlisten = true\n",
            "FILE, line 2: server.listen must be an address and port, such as \"127.0.0.1:8100\"",
        ),
        (
            "[server]\nmax_calls = \"many\"\n",
            "FILE, line 2: server.max_calls must be a whole number from 0, not a text",
        ),
        (
            "[policy]\npreview_above = -1\n",
            "FILE, line 2: policy.preview_above must be a whole number from 0, or \"off\"",
        ),
        (
            "[log]\nlevel = 3\n",
            "FILE, line 2: log.level must be a text",
        ),
        (
            "[state]\nurl = 3\n",
            "FILE, line 2: state.url must be a text, not a number",
        ),
    ] {
        check(text, expected);
    }
}

/// What is wrong with a value, and what is wrong with values together, come in one answer.
#[test]
fn every_kind_of_mistake_is_named_with_its_line() {
    let text = "[server]\nmax_calls = 0\nallowed_hosts = [\"bad value\"]\naccess_key = \"short\"\n\
                [upstream]\nbase_url = \"foo\"\n[oauth]\nurl = \"mcp.example.com\"\naccess_for = \"1m\"\n";
    let error = load(text).map(drop).expect_err("six mistakes");
    for part in [
        "the settings have 6 mistakes",
        "FILE, line 2: server.max_calls is 0",
        "FILE, line 3: server.allowed_hosts has \"bad value\"",
        "FILE, line 4: server.access_key has fewer than",
        "FILE, line 6: upstream.base_url \"foo\" is not an address",
        "FILE, line 8: oauth.url \"mcp.example.com\" is not an address",
        "FILE, line 9: oauth.access_for must be from 10m to 7d",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}
