//! The content of pages.

mod administration;

use std::time::Duration;

use oauth::Destination;

use administration::{moment, usual_scripts};

use super::approvals::{
    ApprovalPage, ApprovalRow, ApprovalsPage, EndOffer, FieldValue, RequestField, RequestItem,
    RequestRecord, RequestView,
};
use super::client_steps::{ClientSteps, StepsFor};
use super::connect::{ClientPage, ConnectPage};
use super::consent::{ClientOrigin, ClientView, ConsentPage, LocationRow, MOST_LISTED, RulesRow};
use super::links::LinkPage;
use super::locations::{ConnectedLocation, LocationPage, LocationsPage, MOST_LOCATIONS};
use super::pause::{MOST_OFFERED, PausePage, PauseQuestion, PausedRow};
use super::*;
use crate::config::Flags;

/// Longest page, in bytes.
const LONGEST: usize = 40 << 10;

pub(in crate::http) fn pages() -> Pages {
    let variables = [
        ("HIGHLEVEL_MCP_OAUTH_URL", "https://mcp.example.test"),
        ("HIGHLEVEL_MCP_BRAND_NAME", "Bright Agency"),
        ("HIGHLEVEL_MCP_BRAND_CRM_NAME", "BrightCRM"),
        ("HIGHLEVEL_MCP_BRAND_APP_URL", "https://app.bright.example"),
        ("HIGHLEVEL_MCP_BRAND_SUPPORT", "help@bright.example"),
    ];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let config = Config::from_sources(&Flags::default(), variables).expect("settings");
    Pages::new(&config).expect("pages")
}

fn html(page: &Page) -> String {
    let pages = pages();
    layout::frame(page, &pages.brand, &pages.assets).into_string()
}

fn client(name: &str, origin: ClientOrigin, goes_to: Destination) -> ClientView {
    ClientView {
        may_imitate: clean::may_imitate(name),
        name: name.to_owned(),
        origin,
        goes_to,
    }
}

fn location(alias: &str) -> LocationRow {
    LocationRow {
        alias: alias.to_owned(),
        name: format!("{alias} Dental of a long name & sons"),
        zone: Some("Europe/Berlin".to_owned()),
        is_chosen: false,
    }
}

fn rules(value: &str) -> RulesRow {
    RulesRow {
        value: value.to_owned(),
        title: "Read only".to_owned(),
        text: "It looks things up and changes nothing.".to_owned(),
        is_chosen: true,
    }
}

/// The text of the page of consent for `client`.
fn consent(client: &ClientView, locations: &[LocationRow]) -> String {
    let page = ConsentPage {
        client,
        person: "Ada",
        has_session: true,
        locations,
        unlisted: 0,
        takes_all: false,
        may_add: true,
        rules: &[rules("read-only")],
        unused_for: Duration::from_secs(90 * 86_400),
        longest: Duration::from_secs(365 * 86_400),
        console: "mcp.example.test/console",
        problem: None,
        sealed: &"s".repeat(3_000),
    };
    html(&page.page(&pages().brand))
}

fn claude() -> ClientView {
    let host = Destination::ThisComputer {
        host: "localhost".to_owned(),
    };
    client(
        "Claude Code",
        ClientOrigin::Published("claude.ai".to_owned()),
        host,
    )
}

/// Every page at its fullest, by name.
fn every_page() -> Vec<(&'static str, Page)> {
    let brand = pages().brand;
    let many: Vec<LocationRow> = (0..MOST_LISTED)
        .map(|number| location(&format!("location-{number}")))
        .collect();
    let consent = ConsentPage {
        client: &claude(),
        person: "Ada",
        has_session: true,
        locations: &many,
        unlisted: 20,
        takes_all: false,
        may_add: true,
        rules: &[rules("read-only"), rules("ask-first"), rules("section:x")],
        unused_for: Duration::from_secs(90 * 86_400),
        longest: Duration::from_secs(365 * 86_400),
        console: "mcp.example.test/console",
        problem: Some("Tick at least one sub-account."),
        sealed: &"s".repeat(3_000),
    };
    let entry = EntryPage {
        client: &claude(),
        may_paste: true,
        sign_in_at: Some("/connect/crm"),
        problem: None,
        sealed: "s",
    };
    let phones: Vec<_> = (0..20)
        .map(|number| passkeys::PasskeyRow {
            id: format!("id{number}"),
            name: format!("Phone {number}"),
            created: moment(),
            used: (number > 0).then(moment),
        })
        .collect();
    let passkeys = passkeys::PasskeysPage {
        rows: &phones,
        token: "s",
    };
    let home = home::HomePage {
        person: "Ada",
        is_operator: true,
        is_paused: true,
        approvals: 1,
        connections: 2,
        locations: 60,
        passkeys: Some(0),
        endpoint: "https://mcp.example.test/mcp",
        token: "s",
    };
    let row = || ApprovalRow {
        handle: "apr_0123456789abcdefghij".to_owned(),
        title: "Send a message".to_owned(),
        effect: "Sends something to people",
        calls: 1,
        location: "acme".to_owned(),
        who: "Claude Code of Ada".to_owned(),
        state: maud::html! { "It waits until " (moment()) },
    };
    let rows: Vec<_> = (0..approvals::MOST_APPROVALS).map(|_| row()).collect();
    let field = |number| RequestField {
        label: format!("Field {number}"),
        hint: Some("E.164".to_owned()),
        value: FieldValue::Text("x".to_owned()),
    };
    let request = RequestView {
        about: vec![RequestRecord {
            kind: "Contact".to_owned(),
            name: Some("Ada".to_owned()),
            id: "c1".to_owned(),
            fields: vec![field(0)],
            warnings: vec!["Asked not to be contacted.".to_owned()],
        }],
        notes: Vec::new(),
        items: vec![RequestItem {
            fields: (0..250).map(field).collect(),
            address: "POST /conversations/messages".to_owned(),
        }],
        first: 1,
        calls: 3,
        kept: 3,
        is_cut: true,
    };
    let end = EndOffer {
        button: "Deny, and end the connection",
        explanation: "The assistant is disconnected.",
    };
    let approval = ApprovalPage {
        handle: "apr_0123456789abcdefghij",
        title: "Send a message",
        effect: "Sends something to people",
        calls: 3,
        locations: &[("acme".to_owned(), 2), ("globex".to_owned(), 1)],
        who: "Claude Code of Ada",
        asked: moment(),
        state: &maud::html! { "It waits until " (moment()) },
        note: Some("Ask again on Monday."),
        watched: Some("pending"),
        problem: None,
        request: &request,
        outcome: None,
        is_open: true,
        end: Some(&end),
        token: "s",
    };
    let located = |number| ConnectedLocation {
        key: "loc_0123456789abcdefghijkl".to_owned(),
        id: Some("loc_0123456789abcdefghijkl".to_owned()),
        alias: format!("location-{number}"),
        name: "Acme Dental of a long name & sons".to_owned(),
        zone: Some("Europe/Berlin".to_owned()),
        owner: Some("Ada".to_owned()),
        status: "The token works.".to_owned(),
        since: Some(moment()),
        is_well: true,
    };
    let located: Vec<_> = (0..MOST_LOCATIONS).map(located).collect();
    let locations = LocationsPage {
        rows: &located,
        unlisted: 3,
        may_add: true,
        sign_in_at: Some("/connect/crm"),
        done: None,
        problem: None,
        typed: "",
        token: "s",
    };
    let location = LocationPage {
        row: &located[0],
        may_check: true,
        may_paste: true,
        sign_in_at: Some("/connect/crm"),
        done: None,
        problem: Some("Not good."),
        reach: None,
        token: "s",
    };
    let front = |client| FrontPage {
        endpoint: "https://mcp.example.test/mcp".to_owned(),
        steps_for: StepsFor::Token,
        has_console: true,
        client,
    };
    let paused = |number| PausedRow {
        alias: format!("location-{number}"),
        since: moment(),
        by: Some("Ada".to_owned()),
        reason: Some("Wrong texts".to_owned()),
    };
    let paused: Vec<_> = (0..50).map(paused).collect();
    let aliases: Vec<_> = (0..MOST_OFFERED)
        .map(|number| format!("location-{number}"))
        .collect();
    let section = rules::SectionPage {
        name: "desk",
        text: &"# what the desk may do\n".repeat(400),
        replaces: "3",
        problems: &[(3, "capz is not a key; did you mean caps?".to_owned())],
        problem: None,
        difference: Some(&rules::DifferenceView {
            changes: (0..6)
                .map(|_| {
                    let names = vec!["contacts_create-or-update-contact".to_owned(); 40];
                    ("allowed → asks (human)".to_owned(), 300, names)
                })
                .collect(),
            otherwise: 3,
            unchanged: 400,
        }),
        checked: "c",
        uses: "It applies to nothing yet.",
        versions: &[rules::VersionRow {
            version: 3,
            by: "Olga".to_owned(),
            at: moment(),
            is_removal: false,
        }],
        token: "s",
    };
    let section_row = |number| rules::RuleSectionRow {
        name: format!("section-{number}"),
        by: "Olga".to_owned(),
        at: moment(),
        uses: "It applies to: access keys (a, b, c and 4 more).".to_owned(),
        is_shadowed: false,
    };
    let section_rows: Vec<_> = (0..60).map(section_row).collect();
    let question = rules::ExplainQuestion {
        locations: (0..100)
            .map(|number| format!("location-{number}"))
            .collect(),
        all_rules: (0..60)
            .map(|number| format!("section:section-{number}"))
            .collect(),
        ..rules::ExplainQuestion::default()
    };
    let all_rules = rules::RulesPage {
        file: Some(&"# rules of the file\n".repeat(480)),
        is_file_cut: true,
        sections: &section_rows,
        question: &question,
        answer: None,
        problem: None,
    };
    let wrong = notice::PageProblem::new(StatusCode::BAD_REQUEST, "Wrong", "Something is wrong.");
    let mut pages = tools::tests::every_page();
    pages.extend(vec![
        ("consent", consent.page(&brand)),
        ("entry", entry.page(&brand)),
        (
            "token",
            TokenPage {
                problem: None,
                typed: "",
                sealed: "s",
            }
            .page(&brand),
        ),
        ("first", LinkPage::First.page(&brand, None, "")),
        ("join", LinkPage::Join.page(&brand, Some("Not good."), "")),
        ("signin", LinkPage::SignIn.page(&brand, None, "")),
        ("home", home.page()),
        (
            "approvals",
            ApprovalsPage {
                waiting: &rows,
                unlisted: 7,
                version: "v",
            }
            .page(),
        ),
        ("approval", approval.page()),
        ("locations", locations.page(&brand)),
        ("live", live::tests::fullest().page(&brand)),
        ("location", location.page(&brand)),
        ("rules", all_rules.page()),
        ("section", section.page()),
        ("notice", wrong.page(PageKind::Entry)),
        ("passkeys", passkeys.page(&self::pages())),
        ("front", front(None).page(&brand)),
        (
            "front-client",
            front(ClientSteps::find("cursor")).page(&brand),
        ),
        (
            "connect",
            ConnectPage {
                endpoint: "https://mcp.example.test/mcp",
            }
            .page(),
        ),
        (
            "connect-client",
            ClientPage {
                client: ClientSteps::find("claude-code").expect("a client"),
                endpoint: "https://mcp.example.test/mcp",
                steps_for: StepsFor::SignIn,
                since: 1,
                arrived: None,
            }
            .page(),
        ),
        ("at-mcp", front(None).at_mcp()),
        (
            "pause",
            PausePage {
                rows: &paused,
                locations: &aliases,
                problem: Some("There is no such sub-account."),
                typed: ("acme", ""),
                token: "s",
            }
            .page(),
        ),
        (
            "pause-question",
            PauseQuestion {
                resumes: false,
                alias: "acme",
                reason: "Wrong texts",
                token: "s",
            }
            .page(),
        ),
    ]);
    pages.extend(administration::every_page());
    pages
}

#[test]
fn every_page_is_short_names_its_brand_and_holds_no_script_or_style() {
    for (name, page) in every_page() {
        let html = html(&page);
        assert!(html.len() <= LONGEST, "{name} has {} bytes", html.len());
        assert!(
            html.starts_with("<!DOCTYPE html><html lang=\"en\">"),
            "{name}"
        );
        assert!(html.contains("Bright Agency"), "{name}");
        // A customer of this agency has never heard of it.
        assert!(!html.to_lowercase().contains("highlevel\""), "{name}");
        assert!(!html.contains("HighLevel"), "{name}");
        for word in ["<style", "style=", "onclick", "javascript:", "http-equiv"] {
            assert!(!html.contains(word), "{name}: {word}");
        }
        // The script of links, or those of live parts and times; the one of passkeys if there is a button for them.
        let passkeys = html
            .matches("action=\"/console/passkeys\" data-passkey")
            .count();
        let scripts = html.matches("<script").count();
        assert_eq!(scripts, usual_scripts(page.kind) + passkeys, "{name}");
        // Readers with a screen reader or a keyboard find the one heading, and the label of each field.
        assert_eq!(html.matches("<h1>").count(), 1, "{name}");
        let fields: usize = [
            "<input type=\"text\"",
            "<input type=\"password\"",
            "<input type=\"date\"",
            "<select",
            "<textarea",
        ]
        .map(|field| html.matches(field).count())
        .iter()
        .sum();
        assert_eq!(
            html.matches("<label class=\"field\"").count(),
            fields,
            "{name}"
        );
    }
}

#[test]
fn the_consent_page_names_the_client_and_its_redirect() {
    fn check(client: &ClientView, parts: &[&str], absent: &str) {
        let html = consent(client, &[location("acme")]);
        for part in parts {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(!html.contains(absent), "{absent}");
    }
    check(
        &claude(),
        &[
            "<h1>Claude Code wants to work in your BrightCRM account</h1>",
            "Published by <strong>claude.ai</strong> (checked).",
            "returns to a program on this computer (<strong>localhost</strong>).",
            "ends automatically after 90 days without use. After a year you are asked again.",
        ],
        "Nobody has checked",
    );
    let cursor = client(
        "Cursor",
        ClientOrigin::Unchecked,
        Destination::Program("cursor".to_owned()),
    );
    check(
        &cursor,
        &[
            "<h1>A program that calls itself “Cursor” wants to work in your BrightCRM account</h1>",
            "The program gives this name itself",
            "links beginning with <strong>cursor:</strong>",
        ],
        "(checked)",
    );
    let site = Destination::Site("app.example.com".to_owned());
    check(
        &client("n8n", ClientOrigin::Unchecked, site.clone()),
        &[
            "the website <strong>app.example.com</strong>",
            "Continue only if you know that website",
        ],
        "a program on this computer",
    );
    check(
        &client("n8n", ClientOrigin::Operator, site),
        &["Added by the operator of this server."],
        "Nobody has checked",
    );
}

#[test]
fn a_name_is_text_and_one_that_imitates_is_called_so() {
    let site = Destination::Site("evil.example".to_owned());
    let evil = client(
        "<b>Claude</b><img src=x>",
        ClientOrigin::Unchecked,
        site.clone(),
    );
    let html = consent(&evil, &[location("acme")]);
    assert!(
        html.contains("&lt;b&gt;Claude&lt;/b&gt;&lt;img src=x&gt;"),
        "{html}"
    );
    assert!(!html.contains("letters that look like other letters"));
    let imitating = client("Сlaude", ClientOrigin::Unchecked, site);
    assert!(consent(&imitating, &[]).contains("letters that look like other letters"));
}
