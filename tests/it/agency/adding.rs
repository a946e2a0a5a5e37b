//! Adding locations one by one and many at once: the checks before, and what a bad one costs the others.

use std::os::unix::fs::PermissionsExt;

use super::branch;
use super::commands::Desk;

fn mode(path: &str) -> u32 {
    let metadata = std::fs::metadata(path).expect("there");
    metadata.permissions().mode() & 0o777
}

fn add<'a>(alias: &'a str, id: &'a str, from: [&'a str; 2]) -> Vec<&'a str> {
    let mut arguments = vec!["locations", "add", alias, "--location-id", id];
    arguments.extend(from);
    arguments
}

#[tokio::test]
async fn locations_that_could_not_work_are_not_added() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "# Ours.\n").expect("written");
    desk.add(1).await;
    let before = std::fs::read_to_string(desk.path("settings.toml")).expect("text");
    let token = |name: &str, text: &str| {
        let path = desk.path(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let (two, gone) = (desk.path("token-2"), desk.path("gone"));
    let (empty, word) = (token("empty", "\n"), token("word", "hello"));
    let id = branch(2);
    let first = branch(1);
    for (arguments, part) in [
        (
            add("b02", &id, ["--token-file", &gone]),
            "gone cannot be read",
        ),
        (add("b02", &id, ["--token-file", &empty]), "empty is empty"),
        (
            add("b02", &id, ["--token-file", &word]),
            "does not contain a HighLevel token",
        ),
        (
            add("b02", "", ["--token-file", &two]),
            "the location id is empty",
        ),
        (
            add("b02", &first, ["--token-file", &two]),
            "has the location_id of [locations.b01]",
        ),
        (
            add("b01", &id, ["--token-file", &two]),
            "already has [locations.b01]",
        ),
        (
            add("b02", &id, ["--company", "agency"]),
            "there is no [companies.agency]",
        ),
        (
            add("b02", &branch(3), ["--token-file", &two]),
            "nothing was added: ",
        ),
    ] {
        desk.run(&arguments, 2, part).await;
        let now = std::fs::read_to_string(desk.path("settings.toml")).expect("text");
        assert_eq!(now, before, "{arguments:?}");
    }
    // The token belongs to another location. Only a trial shows that.
    let third = branch(3);
    let mut untried = add("b03", &third, ["--token-file", &two]);
    untried.push("--no-check");
    desk.run(
        &untried,
        0,
        "not tested; `highlevel-mcp locations test b03` tests it",
    )
    .await;
    let address = format!("https://app.gohighlevel.com/v2/location/{id}/dashboard");
    let second = add("b02", &address, ["--token-file", &two]);
    let known = "HighLevel calls it Branch 02";
    let done = desk.run(&second, 0, known).await;
    let open = format!(
        "warning: other users of this machine can read {two} (mode 644); run `chmod 600` on it"
    );
    assert!(done.contains(&open), "{done}");
    let unset = add("b04", "L4", ["--token-env", "NOT_HERE"]);
    desk.run(&unset, 0, "not tested, because NOT_HERE is not set here")
        .await;
}

#[tokio::test]
async fn a_first_location_makes_the_file_of_settings() {
    let desk = Desk::new().await;
    let home = desk.path("home");
    let (token, id) = (desk.path("token-1"), branch(1));
    let arguments = add("b01", &id, ["--token-file", &token]);
    let mut command = desk.command(&arguments);
    command
        .env_remove("HIGHLEVEL_MCP_CONFIG")
        .env("HOME", &home);
    let done = command
        .current_dir(desk.path(""))
        .output()
        .await
        .expect("run");
    Desk::judge(
        &arguments,
        &done,
        0,
        "home/.config/highlevel-mcp/config.toml",
    );
    let folder = format!("{home}/.config/highlevel-mcp");
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&format!("{folder}/config.toml")), 0o600);
}

#[tokio::test]
async fn one_bad_location_stops_no_other() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    desk.add(1).await;
    let text = std::fs::read_to_string(desk.path("settings.toml")).expect("text");
    let id = branch(2);
    let bad = format!(
        "{text}[locations.b02]\nlocation_id = \"{id}\"\ntoken = {{ file = \"/gone\" }}\n\
         [locations.b03]\nlocation_id = \"\"\ntoken = {{ env = \"THIRD_TOKEN\" }}\n\
         [locations.b04]\nlocation_id = \"twin\"\ntoken = {{ env = \"THIRD_TOKEN\" }}\n\
         [locations.b05]\nlocation_id = \"twin\"\ncompany = \"none\"\n"
    );
    std::fs::write(desk.path("settings.toml"), bad).expect("written");
    let call = |alias| ["call", "locations_get-location", "--location", alias];
    let text = desk.run(&call("b01"), 0, "Branch 01").await;
    assert!(
        text.contains("[locations.b02] token: /gone cannot be read"),
        "{text}"
    );
    desk.run(
        &call("b02"),
        2,
        "[locations.b02] token: /gone cannot be read",
    )
    .await;
    desk.run(&call("b00"), 2, "there is no location b00; did you mean b0")
        .await;
    let text = desk
        .run(&["locations", "test"], 1, "ok\tb01\tBranch 01")
        .await;
    for part in [
        "fault\tb02\t[locations.b02] token: /gone cannot be read",
        "fault\tb03\t[locations.b03] location_id \"\" is not a HighLevel id",
        "fault\tb04\t[locations.b04] has the location_id of [locations.b05]",
        "fault\tb05\t[locations.b05] has the location_id of [locations.b04]",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    desk.run(&["locations", "test", "b01"], 0, "ok\tb01").await;
    let text = desk
        .run(&["locations", "list"], 0, "settings\tunusable")
        .await;
    assert_eq!(text.matches("\tunusable\n").count(), 4, "{text}");
    desk.run(&["config", "check"], 2, "the settings have 4 faults")
        .await;
    let remove = ["locations", "remove", "b2"];
    desk.run(&remove, 2, "there is no location b2; did you mean b0")
        .await;
}

#[tokio::test]
async fn a_list_is_imported_row_by_row() {
    let desk = Desk::new().await;
    let ours = "# Ours.\n[log]\nlevel = \"warn\"\n";
    std::fs::write(desk.path("settings.toml"), ours).expect("written");
    desk.add(3).await;
    let rows = format!(
        "alias,location_id,name,token,token_file\nb01,{},Branch One,pit-sandbox-branch-01,\n,{},Branch Two,,token-2\n\
         x3,{},,pit-sandbox-branch-03,\nb09,locBranch00000000009,,pit-sandbox-gone,\nb01,L9,,pit-x,\nbad,,,pit-x,\n",
        branch(1),
        branch(2),
        branch(3),
    );
    std::fs::write(desk.path("list.csv"), rows).expect("written");
    let list = desk.path("list.csv");
    let before = std::fs::read_to_string(desk.path("settings.toml")).expect("text");
    let report = [
        "ok\tline 2\tb01\tBranch 01\n",
        "ok\tline 3\tbranch-two\tBranch 02\n",
        "already\tline 4\tx3\tis in the settings as b03\n",
        "fault\tline 5\tb09\t",
        "fault\tline 6\tb01\thas the same alias as line 2\n",
        "fault\tline 7\tbad\tthe location id is empty",
    ];
    let dry = desk
        .run(
            &["locations", "import", &list, "--dry-run"],
            1,
            "2 would be added",
        )
        .await;
    for part in report {
        assert!(dry.contains(part), "no {part:?} in {dry}");
    }
    let now = std::fs::read_to_string(desk.path("settings.toml")).expect("text");
    assert_eq!(now, before);
    assert!(!std::fs::exists(desk.path("tokens")).expect("looked at"));
    let done = desk
        .run(&["locations", "import", &list], 1, "2 are added")
        .await;
    for part in report {
        assert!(done.contains(part), "no {part:?} in {done}");
    }
    let places = report.map(|part| done.find(part));
    assert!(places.is_sorted(), "{done}");
    let text = std::fs::read_to_string(desk.path("settings.toml")).expect("text");
    assert!(text.starts_with(ours) && !text.contains("pit-"), "{text}");
    assert_eq!(mode(&desk.path("tokens")), 0o700);
    let token = desk.path("tokens/b01.token");
    assert_eq!(mode(&token), 0o600);
    let kept = std::fs::read_to_string(&token).expect("text");
    assert_eq!(kept, "pit-sandbox-branch-01\n");
    desk.run(&["locations", "test"], 0, "ok\tbranch-two\tBranch 02")
        .await;
    // Again: nothing is new, and the existing ones stay.
    let again = desk
        .run(&["locations", "import", &list], 1, "0 are added")
        .await;
    assert!(
        again.contains("already\tline 2\tb01\tis in the settings as b01"),
        "{again}"
    );
    let now = std::fs::read_to_string(desk.path("settings.toml")).expect("text");
    assert_eq!(now, text);
}

#[tokio::test]
async fn a_token_of_an_agency_lists_locations_and_their_tokens_are_asked_for() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    let arguments = ["locations", "import", "--from-agency"];
    let mut command = desk.command(&arguments);
    command.env("HIGHLEVEL_TOKEN", "pit-sandbox-agency");
    let done = command.output().await.expect("run");
    let text = Desk::judge(&arguments, &done, 0, "alias,location_id,name,token\n");
    assert!(
        text.contains(&format!("branch-01,{},Branch 01,\n", branch(1))),
        "{text}"
    );
    assert!(
        text.contains("Create a private integration in each"),
        "{text}"
    );
    // The printed text can be imported once the tokens are filled in.
    let rows: String = text
        .lines()
        .take_while(|line| line.contains(','))
        .filter(|line| line.starts_with("alias") || line.starts_with("branch-0"))
        .map(|line| match line.strip_prefix("branch-") {
            Some(rest) => format!("{line}pit-sandbox-branch-{}\n", &rest[..2]),
            None => format!("{line}\n"),
        })
        .collect();
    std::fs::write(desk.path("list.csv"), rows).expect("written");
    let list = desk.path("list.csv");
    desk.run(&["locations", "import", &list], 0, "3 are added")
        .await;
    let agency = ["locations", "import", "--from-agency", "acme"];
    desk.run(&agency, 2, "[companies.acme]: there is none")
        .await;
}
