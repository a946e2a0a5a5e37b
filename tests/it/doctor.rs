//! `doctor`: each fault that it has to find, and that it writes nothing.

use std::process::Output;

use ::sandbox::{COMPANY, LOCATION, SandboxOptions, TOKEN};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::sandbox::Sandbox;
use crate::stdio::program;
use test_support::recording::{Recording, json as answer};

async fn doctor(url: &str, variables: &[(&str, &str)]) -> Output {
    let done = program(&["doctor", "--base-url", url], variables).output();
    done.await.expect("run")
}

/// The report has every line of `lines` (tabs written as spaces) and the exit code.
#[track_caller]
fn check(done: &Output, code: i32, lines: &[&str]) {
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(code), "{text}");
    let report = text.replace('\t', " ");
    for line in lines {
        assert!(report.contains(line), "no {line:?} in {report}");
    }
}

#[tokio::test]
async fn a_healthy_account_has_no_fault_and_nothing_is_written() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let account = [
        ("HIGHLEVEL_TOKEN", TOKEN),
        ("HIGHLEVEL_LOCATION_ID", LOCATION),
        ("HIGHLEVEL_COMPANY_ID", COMPANY),
    ];
    let done = doctor(&sandbox.url, &account).await;
    check(
        &done,
        0,
        &[
            "ok settings valid, no file; http://127.0.0.1",
            "ok rules none of your own. The defaults apply",
            "ok access keys ",
            "ok sign-in off",
            "ok HighLevel answers after",
            "ok clock within 30 s",
            "ok token a private integration token",
            "ok location Harbor Dental",
            "ok payments_get-order-by-id may be used",
            "untried contacts_add-tags not tested, because it writes. It needs the scope contacts.write",
            "\nno fault\n",
        ],
    );
    let report = String::from_utf8_lossy(&done.stdout);
    let tools = report.lines().filter(|line| line.contains('_')).count();
    assert_eq!(tools, 21, "{report}");
    for request in sandbox.requests().await {
        assert_eq!(request["method"], "GET", "{request}");
    }
}

#[tokio::test]
async fn each_fault_is_named_with_its_remedy() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let url = &sandbox.url;
    let here = ("HIGHLEVEL_LOCATION_ID", LOCATION);

    let done = doctor(url, &[("HIGHLEVEL_TOKEN", "pit-sandbox-gone"), here]).await;
    check(
        &done,
        1,
        &[
            "fault locations_get-location",
            "untried 13 other reads the token is not accepted",
            "\n1 fault\n",
        ],
    );
    let done = doctor(url, &[("HIGHLEVEL_TOKEN", "pit-sandbox-agency"), here]).await;
    check(&done, 1, &["fault contacts_get-contacts"]);
    let done = doctor(url, &[("HIGHLEVEL_TOKEN", "pit-sandbox-summit"), here]).await;
    check(&done, 1, &["fault locations_get-location"]);
    let done = doctor(
        url,
        &[
            ("HIGHLEVEL_TOKEN", TOKEN),
            here,
            ("HIGHLEVEL_COMPANY_ID", "c9"),
        ],
    )
    .await;
    check(
        &done,
        1,
        &[
            "fault location Harbor Dental",
            "HIGHLEVEL_COMPANY_ID is c9. Correct or unset it",
        ],
    );
    let done = doctor(url, &[("HIGHLEVEL_TOKEN", TOKEN)]).await;
    check(
        &done,
        1,
        &[
            "fault location none. Set HIGHLEVEL_LOCATION_ID",
            "untried 14 reads no location to test it on",
        ],
    );
    check(
        &doctor(url, &[]).await,
        1,
        &["fault token none. Set HIGHLEVEL_TOKEN"],
    );
    let done = doctor(url, &[("HIGHLEVEL_TOKEN", "abc"), here]).await;
    check(
        &done,
        1,
        &["fault token HIGHLEVEL_TOKEN is not a HighLevel token"],
    );
    let audit = ("HIGHLEVEL_MCP_AUDIT_FILE", "/nope/dir/x");
    let done = doctor(url, &[("HIGHLEVEL_TOKEN", TOKEN), here, audit]).await;
    check(
        &done,
        1,
        &["fault audit audit.file /nope/dir/x is in a folder that does not exist"],
    );
    let done = doctor(url, &[("HIGHLEVEL_TOKEN", "Bearer pit-x"), here]).await;
    check(
        &done,
        1,
        &["it begins with \"Bearer\". Give only what follows that word"],
    );
    let done = doctor(url, &[("HIGHLEVEL_TOKEN", &format!("{TOKEN}\r\n")), here]).await;
    check(&done, 0, &["\nno fault\n"]);
    let done = doctor("http://127.0.0.1:1", &[("HIGHLEVEL_TOKEN", TOKEN), here]).await;
    check(
        &done,
        1,
        &[
            "fault HighLevel http://127.0.0.1:1/ cannot be reached",
            "untried 14 reads HighLevel does not answer",
        ],
    );
}

#[tokio::test]
async fn one_cause_is_reported_once() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let account = [
        ("HIGHLEVEL_TOKEN", "pit-sandbox-summit"),
        ("HIGHLEVEL_LOCATION_ID", LOCATION),
    ];
    let done = doctor(&sandbox.url, &account).await;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let faults: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("fault\t"))
        .collect();
    let mut causes: Vec<_> = faults
        .iter()
        .map(|line| line.split('\t').next_back())
        .collect();
    causes.sort_unstable();
    let all = causes.len();
    causes.dedup();
    assert_eq!(causes.len(), all, "{text}");
    assert!(faults.iter().any(|line| line.contains(" more\t")), "{text}");
}

/// A server without an account of its own, for several locations.
#[tokio::test]
async fn the_set_up_of_an_agency_is_checked_beyond_a_store_that_cannot_be_opened() {
    let branches = SandboxOptions {
        branches: 7,
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(branches).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let settings = |count: usize, broken: bool| {
        let locations = (1..=count).map(|number| {
            std::fs::write(path(&format!("t{number}")), format!("pit-sandbox-branch-{number:02}"))
                .expect("written");
            let token = match broken && number == 2 {
                true => path("gone"),
                false => path(&format!("t{number}")),
            };
            format!(
                "[locations.b{number}]\nlocation_id = \"locBranch{number:011}\"\ntoken = {{ file = \"{token}\" }}\n"
            )
        });
        std::fs::write(path("settings.toml"), locations.collect::<String>()).expect("written");
    };
    let (config, state) = (path("settings.toml"), path("state"));
    let variables = [
        ("HIGHLEVEL_MCP_CONFIG", config.as_str()),
        ("HIGHLEVEL_MCP_STATE_FOLDER", state.as_str()),
    ];
    settings(2, false);
    let done = doctor(&sandbox.url, &variables).await;
    check(
        &done,
        0,
        &[
            "ok location b1 Branch 01",
            "ok location b2 Branch 02",
            "untried token the server has none of its own and needs none",
            "\nno fault\n",
        ],
    );
    settings(7, true);
    let done = doctor(&sandbox.url, &variables).await;
    check(
        &done,
        1,
        &[
            "ok locations 6 of 7 can be reached",
            "fault location b2 [locations.b2] token: ",
            "\n1 fault\n",
        ],
    );
    let done = doctor("http://127.0.0.1:1", &variables).await;
    check(
        &done,
        1,
        &[
            "untried locations 7 in the settings; HighLevel does not answer",
            "\n1 fault\n",
        ],
    );
    settings(2, false);
    std::fs::write(path("rules.toml"), "[locations.b9]\nread_only = true\n").expect("written");
    let rules = path("rules.toml");
    let broken = [
        variables[0],
        ("HIGHLEVEL_MCP_STATE_FOLDER", "/proc/x"),
        ("HIGHLEVEL_MCP_POLICY_FILE", &rules),
    ];
    let done = doctor(&sandbox.url, &broken).await;
    check(
        &done,
        1,
        &[
            "fault state /proc/x cannot be made",
            "state.folder, HIGHLEVEL_MCP_STATE_FOLDER or --state",
            "fault rules ",
            "[locations.b9], which the settings do not have",
            "ok location b1 Branch 01",
            "\n2 faults\n",
        ],
    );
}

/// An OAuth access token with these claims.
fn token(claims: &serde_json::Value) -> String {
    format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[tokio::test]
async fn an_oauth_token_tells_class_location_expiry_and_scopes() {
    let highlevel = Recording::start(|request| {
        let mut reply = if request.target.contains("/contacts/doctor0") {
            answer(
                400,
                r#"{"statusCode":400,"message":"Contact not found for id:x"}"#,
            )
        } else {
            answer(200, "{}")
        };
        let old = http::HeaderValue::from_static("Tue, 03 Nov 2026 08:00:00 GMT");
        reply.headers_mut().insert("date", old);
        reply
    })
    .await;
    let scopes = json!({"scopes": ["contacts.write"]});
    let claims =
        json!({"authClass": "Location", "authClassId": "L1", "exp": 5, "oauthMeta": scopes});
    let token_of_l1 = token(&claims);
    let done = doctor(&highlevel.url, &[("HIGHLEVEL_TOKEN", &token_of_l1)]).await;
    check(
        &done,
        1,
        &[
            "ok token an OAuth access token, class Location",
            "fault expiry the token has expired",
            "warning clock",
            "ok contacts_get-contact seems to be allowed. There is no record",
            "ok contacts_add-tags not tested, because it writes. The token has contacts.write",
            "fault opportunities_update-opportunity the token lacks opportunities.write",
        ],
    );
    let asked = highlevel.take();
    assert!(
        asked
            .iter()
            .any(|request| request.target == "/locations/L1")
    );
    let other = [
        ("HIGHLEVEL_TOKEN", token_of_l1.as_str()),
        ("HIGHLEVEL_LOCATION_ID", "L2"),
    ];
    check(
        &doctor(&highlevel.url, &other).await,
        1,
        &["HIGHLEVEL_LOCATION_ID is L2, but the token belongs to L1"],
    );
    let done = doctor(&highlevel.url, &[("HIGHLEVEL_TOKEN", "e30.x.sig")]).await;
    check(
        &done,
        1,
        &["ok token an OAuth access token without readable details"],
    );
    let company = token(&json!({"authClass": "Company", "authClassId": "C1"}));
    let done = doctor(&highlevel.url, &[("HIGHLEVEL_TOKEN", &company)]).await;
    check(
        &done,
        1,
        &["fault token an OAuth access token of a company"],
    );
}
