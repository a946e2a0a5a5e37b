//! People are invited, join, sign in again and are ended, by the commands; and the messages of a server without an
//! operator.

use std::process::Stdio;

use state::links::Offer;
use state::people::PersonRole;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::Office;

#[tokio::test]
async fn an_invited_person_joins_and_is_listed_until_the_end() {
    let office = Office::new();
    let invite = [
        "invite",
        "Anna",
        "--locations",
        "acme",
        "globex",
        "--policy",
        "front-desk",
        "--vault",
        "--may-approve",
        "--uses",
        "2",
        "--for",
        "12h",
    ];
    let (printed, said) = office.run(&invite, 0).await;
    for part in [
        "This link invites Anna: acme, globex; ",
        "The first 2 people who open it join",
        "not shown again",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("hli_"), "{said}");
    let link = office.look(&printed, "join").await.expect("good");
    let hours = link.expires.duration_since(link.created).as_hours();
    assert_eq!((link.uses_left, hours), (2, 12));
    let may = "acme, globex; approves calls there; rules front-desk; connects own locations";
    let rows = office.rows(&["people", "list"]).await;
    assert_eq!(rows.len(), 1);
    let until = link.expires.strftime("%Y-%m-%d");
    let invited = format!("{may}; join until {until}; 2 may join");
    assert_eq!(rows[0], ["Anna", "invited", "-", &link.id, &invited]);

    let anna = office.join(&printed, "join").await;
    assert_eq!(anna.policy.as_deref(), Some("front-desk"));
    assert!(anna.may_approve("globex") && anna.may_vault && !anna.all_locations);
    let rows = office.rows(&["people", "list"]).await;
    assert_eq!(rows[0], ["Anna", "member", "never", &anna.id, may]);
    assert_eq!((rows.len(), rows[1][1].as_str()), (2, "invited"));
    let (printed, _) = office.run(&["people", "end", &link.id], 0).await;
    assert!(printed.contains("Nobody can join"), "{printed}");
    let (printed, said) = office.run(&["people", "end", "Anna"], 0).await;
    assert!(printed.contains(&anna.id) && printed.contains("may no longer sign in"));
    assert!(said.contains("There is no operator now"), "{said}");
    assert_eq!(
        office.rows(&["people", "list"]).await,
        Vec::<Vec<String>>::new()
    );
    let rows = office.rows(&["people", "list", "--ended"]).await;
    assert_eq!((rows.len(), rows[0][1].as_str()), (1, "ended"));

    let rows = office.rows(&["audit", "events"]).await;
    let events: Vec<[&str; 3]> = rows
        .iter()
        .map(|row| [row[1].as_str(), &row[2], &row[3]])
        .collect();
    let expected = [
        ["link made", "-", &link.id],
        ["person joined", "-", "Anna"],
        ["link used", "Anna", &link.id],
        ["link ended", "-", &link.id],
        ["person ended", "-", "Anna"],
    ];
    assert_eq!(events, expected);
    assert_eq!(
        office.rows(&["audit", "events", "-n", "2"]).await,
        rows[3..]
    );
}

/// Each option gives its own right, and no more.
#[tokio::test]
async fn an_invitation_gives_the_rights_of_its_options() {
    let office = Office::new();
    // Options; role, reaches a location that was not named, approves there, may paste tokens.
    for (options, expected) in [
        (
            &["--locations", "acme"][..],
            (PersonRole::Member, false, false, false),
        ),
        (
            &["--all-locations"],
            (PersonRole::Member, true, false, false),
        ),
        (
            &["--all-locations", "--may-approve"],
            (PersonRole::Member, true, true, false),
        ),
        (&["--vault"], (PersonRole::Member, false, false, true)),
        (&["--operator"], (PersonRole::Operator, true, true, true)),
    ] {
        let (printed, _) = office.run(&[&["invite", "A"], options].concat(), 0).await;
        let person = office.join(&printed, "join").await;
        let found = (
            person.role,
            person.reaches("initech"),
            person.may_approve("initech"),
            person.may_vault,
        );
        assert_eq!(found, expected, "{options:?}");
    }
}

#[tokio::test]
async fn impossible_requests_are_refused_with_a_sentence() {
    let office = Office::new();
    office.run(&["invite", "Anna", "--operator"], 0).await;
    let rows = [
        (
            &["invite", "A", "--locations", "initech"][..],
            "there is no location initech",
        ),
        (
            &["invite", "A", "--vault", "--policy", "other"],
            "has no [policies.other]",
        ),
        (&["invite", "A"], "--all-locations|--vault|--operator"),
        (
            &["invite", "A", "--operator", "--all-locations"],
            "cannot be used with",
        ),
        (&["invite", "", "--vault"], "give a name that people"),
        (&["invite", "  ", "--vault"], "give a name that people"),
        (
            &["clients", "add", " ", "--redirect", "http://localhost/"],
            "give a name that people",
        ),
        (&["invite", "A", "--vault", "--uses", "0"], "1 to 1000"),
        (&["invite", "A", "--vault", "--for", "0d"], "at most a year"),
        (&["invite", "A", "--vault", "--for", "week"], "such as 7d"),
        (&["people", "end", "Bert"], "there is no person Bert"),
        (&["people", "end", "lnk_none"], "there is no link lnk_none"),
        (
            &["console", "link", "--person", "Bert"],
            "there is no person Bert",
        ),
        (&["connections", "end"], "--all"),
        (
            &["connections", "end", "gra_1", "--all"],
            "cannot be used with",
        ),
        (
            &["connections", "end", "gra_1"],
            "there is no open connection gra_1",
        ),
        (
            &["connections", "end", "--person", "Bert"],
            "there is no person Bert",
        ),
        (&["clients", "add", "n8n"], "--redirect"),
        (
            &["clients", "add", "n8n", "--redirect", "http://evil.example"],
            "http:",
        ),
        (
            &["clients", "add", "n8n", "--redirect", "javascript:alert(1)"],
            "javascript:alert(1)",
        ),
        (
            &["clients", "block", "cli_none"],
            "there is no client cli_none; `highlevel-mcp clients list` shows all",
        ),
        (
            &["clients", "remove", "cli_none"],
            "there is no client cli_none",
        ),
    ];
    for (arguments, part) in rows {
        let (printed, said) = office.run(arguments, 2).await;
        assert!(
            said.contains(part) && printed.is_empty(),
            "{arguments:?}: {said}"
        );
    }
}

/// Stored records can be shown and ended. Nothing is created that nobody can use.
#[tokio::test]
async fn without_an_address_nobody_is_invited() {
    let office = Office::new();
    office.run(&["invite", "Anna", "--operator"], 0).await;
    office.write("settings.toml", "");
    for arguments in [
        &["invite", "Anna", "--all-locations"][..],
        &[
            "clients",
            "add",
            "n8n",
            "--redirect",
            "https://n8n.example/cb",
        ],
    ] {
        let (printed, said) = office.run(arguments, 2).await;
        assert!(
            said.contains("oauth.url is not set") && printed.is_empty(),
            "{said}"
        );
    }
    for arguments in [
        ["people", "list"],
        ["connections", "list"],
        ["clients", "list"],
    ] {
        let (_, said) = office.run(&arguments, 0).await;
        assert!(said.contains("Note: oauth.url is not set"), "{said}");
    }
}

#[tokio::test]
async fn without_an_address_the_console_is_of_this_machine_alone() {
    let office = Office::new();
    office.write("settings.toml", "");
    // A port on which nothing answers.
    let here = ["console", "link", "--listen", "127.0.0.1:9"];
    let (link, said) = office.run(&here, 0).await;
    assert!(
        link.starts_with("http://127.0.0.1:9/console/first#hli_"),
        "{link}"
    );
    assert!(said.contains("no server answers at 127.0.0.1:9"), "{said}");
    for (arguments, part) in [
        (
            &["console", "--no-browser", "--listen", "0.0.0.0:8100"][..],
            "needs oauth.url",
        ),
        (
            &["console", "link", "--listen", "127.0.0.1:0"][..],
            "Give --listen",
        ),
        (
            &["console", "link", "--state", "none"][..],
            "there is no state",
        ),
    ] {
        let (printed, said) = office.run(arguments, 2).await;
        assert!(said.contains(part) && printed.is_empty(), "{said}");
    }
    office.write("settings.toml", "[server]\ntls = \"proxy\"\n");
    let (_, said) = office.run(&["console", "link"], 2).await;
    assert!(said.contains("the server runs behind a proxy"), "{said}");
}

#[tokio::test]
async fn the_first_operator_gets_a_link_and_later_ones_sign_in() {
    let office = Office::new();
    let (first, said) = office.run(&["console", "link"], 0).await;
    assert!(said.contains("becomes the operator"), "{said}");
    let link = office.look(&first, "first").await.expect("good");
    let minutes = link.expires.duration_since(link.created).as_mins();
    assert_eq!((link.offer, minutes), (Offer::First, 30));
    let operator = office.join(&first, "first").await;
    let (again, said) = office.run(&["console", "link"], 0).await;
    assert!(said.contains("signed in as operator (operator)"), "{said}");
    assert_eq!(office.join(&again, "signin").await.id, operator.id);
    let (opened, _) = office.run(&["open", "--no-browser"], 0).await;
    assert_eq!(office.join(&opened, "signin").await.id, operator.id);
    let (second, _) = office.run(&["invite", "Olga", "--operator"], 0).await;
    office.join(&second, "join").await;
    let (_, said) = office.run(&["console", "link"], 2).await;
    assert!(
        said.contains("give --person with one of: operator, Olga"),
        "{said}"
    );
    let (olga, _) = office
        .run(&["console", "link", "--person", "Olga"], 0)
        .await;
    assert_eq!(office.join(&olga, "signin").await.name, "Olga");
}

/// A server's messages about its first operator before it serves. It is then stopped.
async fn first_lines(office: &Office) -> Vec<String> {
    let mut command = office.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut server = command.stderr(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(server.stderr.take().expect("stderr")).lines();
    let mut seen = Vec::new();
    let address = loop {
        let line = lines.next_line().await.expect("read").expect("it serves");
        let address = line.split("http://").nth(1).map(str::to_owned);
        let serves = line.contains("serving ");
        seen.push(line);
        if serves {
            let address = address.expect("an address");
            break address.split_once('/').expect("a path").0.to_owned();
        }
    };
    let alive = reqwest::get(format!("http://{address}/livez")).await;
    assert_eq!(alive.expect("answered").status(), 200);
    server.kill().await.expect("ended");
    while let Some(line) = lines.next_line().await.expect("read") {
        seen.push(line);
    }
    seen.retain(|line| line.contains("/console/first"));
    seen
}

#[tokio::test]
async fn a_server_without_an_operator_says_once_how_one_becomes_it() {
    let office = Office::new();
    let lines = first_lines(&office).await;
    let [line] = lines.as_slice() else {
        panic!("not one line: {lines:?}");
    };
    let address = line.strip_prefix("Open ");
    let address =
        address.and_then(|rest| rest.strip_suffix(" within 30 minutes to become its operator."));
    let address = format!("{}\n", address.expect("the sentence"));
    let operator = office.join(&address, "first").await;
    assert_eq!(operator.role, PersonRole::Operator);
    assert_eq!(first_lines(&office).await, Vec::<String>::new());
}
