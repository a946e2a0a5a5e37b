//! The pages of administration at their fullest.

use crate::http::pages::audit::{AuditPage, AuditedCallPage, CallCard};
use crate::http::pages::clients::{ClientCard, ClientsPage, MOST_CLIENTS};
use crate::http::pages::connections::{
    ConnectionPage, ConnectionRow, ConnectionsPage, MOST_CONNECTIONS, NarrowingRow,
};
use crate::http::pages::keys::{KeyCard, KeysPage, MOST_KEYS, NewKeyPage};
use crate::http::pages::moment::Moment;
use crate::http::pages::people::{
    DecidedLocation, DecidingForm, InvitationCard, InvitePage, MOST_DECIDED, MOST_INVITATIONS,
    MOST_PEOPLE, PeoplePage, PersonCard, PersonPage, SectionRow,
};
use crate::http::pages::proof::ProofPage;
use crate::http::pages::reach::{LocationBox, MOST_BOXES, ReachFields};
use crate::http::pages::{Page, PageKind, form, paging};

/// A time, whichever.
pub(super) fn moment() -> Moment {
    Moment("2026-11-29T13:00:00Z".parse().expect("a time"))
}

/// Scripts that every page of this kind has.
pub(super) fn usual_scripts(kind: PageKind) -> usize {
    match kind {
        PageKind::Consent => 0,
        PageKind::Entry => 1,
        PageKind::Console(_) => 2,
    }
}

/// Each by its name.
pub(super) fn every_page() -> Vec<(&'static str, Page)> {
    [connections(), people(), keys_and_clients(), audit()]
        .into_iter()
        .flatten()
        .collect()
}

fn connections() -> Vec<(&'static str, Page)> {
    let connection = || ConnectionRow {
        id: "gra_0123456789abcdefghijkl".to_owned(),
        client: "Claude Code".to_owned(),
        origin: "Published by claude.ai (checked)".to_owned(),
        holder: Some("Ada".to_owned()),
        locations: "acme, globex, initech and 57 more".to_owned(),
        rules: vec!["do everyday work".to_owned(), "read only".to_owned()],
        used: Some(moment()),
        ends: moment(),
        idle_until: moment(),
    };
    let connections: Vec<_> = (0..MOST_CONNECTIONS).map(|_| connection()).collect();
    let narrowing = |number| NarrowingRow {
        value: format!("section:rules-{number}"),
        title: format!("rules-{number}"),
        text: "This server's own rules, in addition to the present ones.".to_owned(),
    };
    let one_connection = ConnectionPage {
        row: &connection(),
        locations: &"location-of-a-customer, ".repeat(300),
        narrowings: &(0..50).map(narrowing).collect::<Vec<_>>(),
        of_client: 900,
        of_person: Some(("Ada", 40)),
        problem: Some("Nothing was changed."),
        token: "s",
    };
    vec![
        (
            "connections",
            ConnectionsPage {
                rows: &connections,
                paging: &paging("/console/connections", 7_000, MOST_CONNECTIONS),
                token: "s",
            }
            .page(),
        ),
        ("connection", one_connection.page()),
    ]
}

fn people() -> Vec<(&'static str, Page)> {
    let person = |number: usize| {
        PersonCard {
        id: format!("per_abcdefghij{number:02}"),
        name: "Ada Lovelace of a long name & sons of the house of Lovelace".to_owned(),
        role: "member",
        may: "location-1, location-2, location-3, location-4, location-5 and 995 more; approves calls there".to_owned(),
        seen: Some(moment()),
        ended: None,
    }
    };
    let people: Vec<_> = (0..MOST_PEOPLE).map(person).collect();
    let invitation = |number: usize| InvitationCard {
        id: format!("lnk_abcdefghij{number:02}"),
        name: "Ada Lovelace of a long name & sons of the house of Lovelace".to_owned(),
        role: "member",
        may: "location-1, location-2, location-3, location-4, location-5 and 995 more".to_owned(),
        until: moment(),
        uses: 20,
    };
    let invitations: Vec<_> = (0..MOST_INVITATIONS).map(invitation).collect();
    let decided = |number| DecidedLocation {
        alias: format!("location-of-a-customer-{number}"),
        may_approve: true,
    };
    let decided: Vec<_> = (0..MOST_DECIDED).map(decided).collect();
    let (reach, sections) = offers();
    vec![
        (
            "people",
            PeoplePage {
                rows: &people,
                paging: &paging("/console/people", 1_000, MOST_PEOPLE),
                invitations: &invitations,
                unlisted_invitations: 80,
                token: "s",
            }
            .page(),
        ),
        (
            "person",
            PersonPage {
                row: &person(1),
                deciding: Some(DecidingForm {
                    everywhere: false,
                    rows: &decided,
                    unlisted: 900,
                }),
                connected: 3,
                is_reader: false,
                is_fresh: true,
                problem: Some("Nothing was done."),
                token: "s",
            }
            .page(),
        ),
        (
            "invite",
            InvitePage {
                reach: &reach,
                rules: &sections,
                before: None,
                problem: Some("Choose the rules."),
                token: "s",
            }
            .page(),
        ),
        (
            "invitation",
            InvitePage::link(
                "Ada",
                "every sub-account",
                moment(),
                "https://mcp.example.test/console/join#hli_x",
            ),
        ),
        (
            "proof",
            ProofPage {
                person: "Ada",
                next: "/console/people/invite",
                problem: Some("This is not a valid sign-in link of yours."),
                token: "s",
            }
            .page(),
        ),
    ]
}

/// The most sub-accounts and rules that a form offers.
fn offers() -> (ReachFields, Vec<SectionRow>) {
    let location_box = |number| LocationBox {
        alias: format!("location-of-a-customer-{number}"),
        name: "Acme Dental of a long name & sons of the house".to_owned(),
        is_chosen: false,
    };
    let reach = ReachFields {
        boxes: (0..MOST_BOXES).map(location_box).collect(),
        unlisted: 940,
        takes_all: true,
        others: String::new(),
    };
    let section = |number| SectionRow {
        value: format!("section:rules-of-a-customer-{number}"),
        title: format!("rules-of-a-customer-{number}"),
        text: "This server's own rules, in addition to those for everybody.".to_owned(),
        is_chosen: false,
    };
    let sections: Vec<_> = (0..50).map(section).collect();
    (reach, sections)
}

fn keys_and_clients() -> Vec<(&'static str, Page)> {
    let key = |number: usize| KeyCard {
        id: format!("abcdef{number:02}"),
        name: "n8n of a long name & sons of the house of Lovelace".to_owned(),
        locations: "location-1, location-2, location-3, location-4, location-5 and 995 more"
            .to_owned(),
        rules: vec![
            "change single records, and ask first for everything else".to_owned(),
            "what the rules “front-desk” allow".to_owned(),
        ],
        made: moment(),
        expires: Some(moment()),
        used: Some(moment()),
        over: None,
    };
    let keys: Vec<_> = (0..MOST_KEYS).map(key).collect();
    let client = |number: usize| ClientCard {
        handle: format!("0123456789abcd{number:02}"),
        id: format!("https://claude.example/{}", "x".repeat(177)),
        name: "Claude Code of a long name & sons of the house".to_owned(),
        origin: "Published by claude.example (checked)".to_owned(),
        connections: 900,
        used: Some(moment()),
        blocked: Some(moment()),
    };
    let clients: Vec<_> = (0..MOST_CLIENTS).map(client).collect();
    let (reach, sections) = offers();
    vec![
        (
            "keys",
            KeysPage {
                rows: &keys,
                paging: &paging("/console/keys", 1_000, MOST_KEYS),
                token: "s",
            }
            .page(),
        ),
        (
            "new-key",
            NewKeyPage {
                reach: &reach,
                rules: &sections,
                before: None,
                problem: Some("Choose what the key may do."),
                token: "s",
            }
            .page(),
        ),
        (
            "key",
            NewKeyPage::key(&key(1), "hlk_x_y", "https://mcp.example.test/mcp"),
        ),
        (
            "clients",
            ClientsPage {
                rows: &clients,
                paging: &paging("/console/clients", 12_000, MOST_CLIENTS),
                token: "s",
            }
            .page(),
        ),
    ]
}

fn audit() -> Vec<(&'static str, Page)> {
    let call = |number| CallCard {
        number,
        title: "Send a new message to a contact by any channel".to_owned(),
        tool: "conversations_send-a-new-message".to_owned(),
        time: moment(),
        outcome: "Refused (refused): [locations.acme] deny \"effect:send\" of a long rule"
            .to_owned(),
        is_well: false,
        location: "location-of-a-customer-17".to_owned(),
        who: "claude-code 2.1.328, for Ada Lovelace of a long name".to_owned(),
    };
    let calls: Vec<_> = (0..50).map(call).collect();
    let query = form::FormFields::parse(b"tool=contacts_&effect=send").expect("a query");
    vec![
        (
            "audit",
            AuditPage {
                rows: &calls,
                query: &query,
                before: Some(123_456),
                problem: Some("Give a day such as 2026-11-25."),
            }
            .page(),
        ),
        (
            "audited-call",
            AuditedCallPage {
                row: &call(1),
                ended: Some(moment()),
                facts: &[("Confirmed", "by Ada (human)".to_owned())],
                sent: Some(&serde_json::json!({"message": "x".repeat(60_000)})),
            }
            .page(),
        ),
    ]
}

/// The second part of a list with this many rows.
fn paging(path: &str, total: usize, size: usize) -> paging::ListParts {
    let query = form::FormFields::parse(b"page=2").expect("a query");
    paging::ListParts::new(path, &query, total, size)
}
