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
        "FILE, line 5: log.level: unknown variant `loud`, expected one of",
        "FILE, line 6: [locations.acme] missing field `location_id`",
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
}
