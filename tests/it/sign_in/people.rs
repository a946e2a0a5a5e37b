//! People are invited and ended on the pages: by whom, and how recent the sign-in must be.

use jiff::SignedDuration;
use state::links::{Links, Offer};
use state::people::{People, Person, PersonRole};

use super::browser::{AFTER_JOINING, Browser, Page};
use super::connections::{Connections, Terms};
use super::{link, sign_in_as_member, sign_in_as_operator};
use test_support::server::TestServer;

const PEOPLE: &str = "/console/people";
const INVITE: &str = "/console/people/invite";

const RULES: &str = "[policies.front]\ndeny = [\"contacts_delete-contact\"]\n";

async fn people(server: &TestServer) -> Vec<Person> {
    People::new(&server.store()).list().await.expect("people")
}

pub(super) async fn person(server: &TestServer, name: &str) -> Person {
    let people = people(server).await;
    let found = people.into_iter().find(|person| person.name == name);
    found.expect(name)
}

/// Ages every sign-in by `minutes`.
pub(super) async fn make_older(connections: &Connections, minutes: i64) {
    let milliseconds = minutes * 60_000;
    let change = format!("UPDATE session SET proof_at = proof_at - {milliseconds}");
    connections.change_rows(&change).await;
}

/// The text to copy in the field of this name on a page.
pub(super) fn copied(page: &Page, name: &str) -> String {
    let field = page.text.split(&format!("id=\"{name}\" value=\"")).nth(1);
    let value = field.and_then(|rest| rest.split('"').next());
    value
        .unwrap_or_else(|| panic!("no {name} in {}", page.text))
        .to_owned()
}

async fn invite(browser: &Browser, fields: &[(&str, &str)]) -> Page {
    let page = browser.get(INVITE).await;
    assert_eq!(page.status, 200, "{}", page.text);
    browser.submit(INVITE, &page, fields).await
}

#[tokio::test]
async fn an_invitation_makes_whom_it_says() {
    let connections = Connections::start(3, RULES).await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let check = async |fields: &[(&str, &str)], expected: &dyn Fn(&Person) -> bool| {
        let name = fields[0].1;
        let made = invite(&olga, fields).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let link = copied(&made, "link");
        assert!(
            link.starts_with("https://mcp.example.test/console/join#hli_"),
            "{link}"
        );
        let list = olga.get(PEOPLE).await;
        assert!(
            list.text.contains(&format!("the invitation of {name}")),
            "{}",
            list.text
        );
        assert!(!list.text.contains("hli_"), "the link is shown once");
        let guest = Browser::new(server);
        let joined = guest.post("/console/join", &[("link", &link)]).await;
        assert_eq!(joined.location(), AFTER_JOINING, "{}", joined.text);
        let person = person(server, name).await;
        assert!(expected(&person), "{person:?}");
        let list = olga.get(PEOPLE).await;
        assert!(
            !list.text.contains(&format!("the invitation of {name}")),
            "{}",
            list.text
        );
        assert!(list.text.contains(&person.id), "{}", list.text);
    };
    check(
        &[
            ("name", "Ada"),
            ("role", "member"),
            ("location", "b01"),
            ("others", "b02, b01"),
            ("rules", "none"),
            ("lasts", "1"),
        ],
        &|ada| {
            let aliases: Vec<_> = ada.locations.iter().map(|one| one.alias.as_str()).collect();
            aliases == ["b01", "b02"]
                && !ada.may_approve("b01")
                && !ada.may_vault
                && ada.policy.is_none()
        },
    )
    .await;
    check(
        &[
            ("name", "Bob"),
            ("role", "member"),
            ("location", "*"),
            ("rules", "section:front"),
            ("approve", "yes"),
            ("connect", "yes"),
            ("lasts", "30"),
        ],
        &|bob| {
            bob.role == PersonRole::Member
                && bob.all_locations
                && bob.approves_all
                && bob.may_vault
                && bob.policy.as_deref() == Some("front")
        },
    )
    .await;
    check(
        &[
            ("name", "Otto"),
            ("role", "operator"),
            ("rules", "none"),
            ("lasts", "7"),
        ],
        &|otto| otto.role == PersonRole::Operator && otto.reaches("b03"),
    )
    .await;
    let links = Links::new(&server.store()).list().await.expect("links");
    let lasts = links
        .iter()
        .filter(|link| matches!(link.offer, Offer::Invite(_)));
    let mut lasts: Vec<i64> = lasts
        .map(|link| link.expires.duration_since(link.created).as_hours() / 24)
        .collect();
    lasts.sort_unstable();
    assert_eq!(lasts, [1, 7, 30]);
    let olga = person(server, "Olga").await;
    let made = links
        .iter()
        .filter(|link| link.created_by.as_ref() == Some(&olga.id));
    assert_eq!(made.count(), 3);
}

#[tokio::test]
async fn an_impossible_invitation_is_refused_on_its_page() {
    let connections = Connections::start(2, RULES).await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let ada = connections.invited("Ada", &[], |_| ()).await;
    let own = connections.paste(&ada, 2).await;
    let usual = [
        ("name", "Eve"),
        ("role", "member"),
        ("location", "b01"),
        ("rules", "none"),
    ];
    for (change, part) in [
        (
            ("name", "Eve\u{202e}"),
            "a person&#39;s name has 1 to 64 characters",
        ),
        (("role", "owner"), "Choose the role."),
        (
            ("location", "b09"),
            "There is no sub-account “b09” that you can give.",
        ),
        // A location that somebody connected belongs to them.
        (
            ("location", own.alias.as_str()),
            "that you can give. Check the short name.",
        ),
        (("rules", "section:none"), "Choose the rules."),
        (("location", ""), "an invitation needs locations"),
    ] {
        let fields: Vec<_> = usual
            .iter()
            .map(|field| if field.0 == change.0 { change } else { *field })
            .filter(|field| !field.1.is_empty())
            .collect();
        let told = invite(&olga, &fields).await;
        assert_eq!(told.status, 400, "{change:?}");
        let text = told.text.replace("&#39;", "'").replace('\'', "&#39;");
        assert!(text.contains(part), "{part}: {}", told.text);
    }
    let links = Links::new(&server.store()).list().await.expect("links");
    assert!(!links.iter().any(|link| matches!(&link.offer, Offer::Invite(invitation) if invitation.name.starts_with("Eve"))));
}

#[tokio::test]
async fn an_invitation_and_a_person_end() {
    let connections = Connections::start(2, RULES).await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let made = invite(
        &olga,
        &[
            ("name", "Eve"),
            ("role", "member"),
            ("location", "b01"),
            ("rules", "none"),
        ],
    )
    .await;
    let link = copied(&made, "link");
    let list = olga.get(PEOPLE).await;
    let links = Links::new(&server.store()).list().await.expect("links");
    let eve = links
        .iter()
        .find(|link| matches!(&link.offer, Offer::Invite(one) if one.name == "Eve"));
    let id = eve.expect("an invitation").id.clone();
    let ended = olga
        .submit("/console/people/uninvite", &list, &[("id", &id)])
        .await;
    assert_eq!(ended.location(), PEOPLE);
    let late = Browser::new(server)
        .post("/console/join", &[("link", &link)])
        .await;
    assert_eq!(late.status, 400, "{}", late.text);
    // A person's sessions and connections end with the person and, if asked for, their connected locations too.
    for (remove, left) in [("no", 1), ("yes", 0)] {
        let name = format!("Ada {remove}");
        let ada = connections.member(&name, &["b01"]).await;
        let own = connections.paste(&ada, 2).await;
        let connection = connections.connect(Terms::of_person(&ada)).await;
        let browser = Browser::new(server);
        let sign_in = self::link(
            server,
            Offer::Login {
                person: ada.id.clone(),
            },
        )
        .await;
        browser.post("/console/signin", &[("link", &sign_in)]).await;
        assert_eq!(browser.get("/console").await.status, 200);
        let page = olga.get(&format!("{PEOPLE}/{}", ada.id)).await;
        assert!(
            page.text.contains("Remove their sub-accounts too"),
            "{}",
            page.text
        );
        let fields = [("id", ada.id.as_str()), ("remove", remove)];
        let ended = olga.submit("/console/people/end", &page, &fields).await;
        assert_eq!(ended.location(), PEOPLE);
        assert_eq!(browser.get("/console").await.status, 401);
        let grant = connections.controls().grants.get(&connection.id).await;
        assert!(grant.expect("the store").is_none());
        let vault = connections
            .controls()
            .vault
            .list()
            .await
            .expect("the store");
        let kept = vault
            .iter()
            .filter(|location| location.id == own.id)
            .count();
        assert_eq!(kept, left, "{remove}");
        if left == 1 {
            connections
                .controls()
                .vault
                .remove(&own.id, None)
                .await
                .expect("removed");
        }
        let again = olga.submit("/console/people/end", &page, &fields).await;
        assert_eq!(again.location(), PEOPLE, "a second press is no error");
        let shown = olga.get(&format!("{PEOPLE}/{}", ada.id)).await;
        assert!(shown.text.contains("<dd>ended "), "{}", shown.text);
    }
    let own = person(server, "Olga").await;
    let page = olga.get(&format!("{PEOPLE}/{}", own.id)).await;
    let last = olga
        .submit("/console/people/end", &page, &[("id", &own.id)])
        .await;
    assert_eq!(last.status, 409);
    assert!(
        last.text.contains("Olga is the last operator"),
        "{}",
        last.text
    );
}

#[tokio::test]
async fn approval_rights_are_chosen_for_each_sub_account() {
    let connections = Connections::start(3, RULES).await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let ada = connections.member("Ada", &["b01", "b02"]).await;
    let path = format!("{PEOPLE}/{}", ada.id);
    let set = async |ticked: &[(&str, &str)], expected: [bool; 3]| {
        let page = olga.get(&path).await;
        let fields = [&[("id", ada.id.as_str())], ticked].concat();
        let set = olga
            .submit("/console/people/approvals", &page, &fields)
            .await;
        assert_eq!(set.location(), path, "{}", set.text);
        let ada = person(server, "Ada").await;
        assert_eq!(
            ["b01", "b02", "b03"].map(|alias| ada.may_approve(alias)),
            expected,
            "{ticked:?}"
        );
    };
    // A tick does not give access to another person's sub-account.
    set(
        &[("location", "b02"), ("location", "b03")],
        [false, true, false],
    )
    .await;
    set(&[("everywhere", "yes")], [true, true, false]).await;
    set(&[], [false; 3]).await;
    let own = person(server, "Olga").await;
    let page = olga.get(&path).await;
    let of_operator = olga
        .submit("/console/people/approvals", &page, &[("id", &own.id)])
        .await;
    assert_eq!(of_operator.status, 404, "an operator approves everything");
}

/// Every page and form of the operators, for another person and for an operator whose sign-in is not recent.
#[tokio::test]
async fn only_operators_come_in_and_only_a_fresh_proof_gives_rights() {
    let connections = Connections::start(2, RULES).await;
    let server = &connections.agency.server;
    let (olga, eve) = (Browser::new(server), Browser::new(server));
    sign_in_as_operator(server, &olga).await;
    sign_in_as_member(server, &eve, "Eve", &["b01"]).await;
    let ada = connections.member("Ada", &["b01"]).await;
    let one = format!("{PEOPLE}/{}", ada.id);
    let home = eve.get("/console").await;
    for path in [PEOPLE, INVITE, one.as_str()] {
        let page = eve.get(path).await;
        assert_eq!(page.status, 403, "{path}");
        assert!(!page.text.contains("Ada"), "{}", page.text);
        assert_eq!(Browser::new(server).get(path).await.status, 401, "{path}");
    }
    let forms = [
        (
            INVITE,
            vec![("name", "Mallory"), ("role", "operator"), ("rules", "none")],
        ),
        ("/console/people/end", vec![("id", ada.id.as_str())]),
        (
            "/console/people/approvals",
            vec![("id", ada.id.as_str()), ("location", "b01")],
        ),
    ];
    for (path, fields) in &forms {
        let sent = eve.submit(path, &home, fields).await;
        assert_eq!(sent.status, 403, "{path}");
    }
    let form = olga.get(INVITE).await;
    make_older(&connections, 16).await;
    for (path, fields) in &forms {
        let sent = olga.submit(path, &form, fields).await;
        assert_eq!(sent.status, 403, "{path}");
        assert!(
            sent.text.contains("Confirm that it is you"),
            "{}",
            sent.text
        );
    }
    let before = person(server, "Ada").await;
    assert!(before.ended.is_none() && !before.may_approve("b01"));
    assert_eq!(people(server).await.len(), 3);
    let links = Links::new(&server.store()).list().await.expect("links");
    assert!(
        !links
            .iter()
            .any(|link| matches!(&link.offer, Offer::Invite(one) if one.name == "Mallory"))
    );
    // Reading needs no recent sign-in, and forms that could not be sent are not shown.
    assert_eq!(olga.get(PEOPLE).await.status, 200);
    assert!(!olga.get(&one).await.text.contains("End the access of"));
    let led = olga.get(INVITE).await;
    assert_eq!(led.location(), "/console/proof?next=/console/people/invite");
    let proof = olga.get("/console/proof?next=/console/people/invite").await;
    assert!(
        proof
            .text
            .contains("highlevel-mcp console link --person Olga"),
        "{}",
        proof.text
    );
    // Neither another person's link nor an invalid one.
    let of_ada = link(
        server,
        Offer::Login {
            person: ada.id.clone(),
        },
    )
    .await;
    for wrong in [of_ada.as_str(), "hli_nothing", "x"] {
        let fields = [("link", wrong), ("next", INVITE)];
        let refused = olga.submit("/console/proof", &proof, &fields).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
    let good = Links::new(&server.store())
        .look(&of_ada.as_str().into())
        .await
        .expect("the store");
    assert!(good.is_some(), "another's link is not used up");
    let own = person(server, "Olga").await.id;
    let session = olga.cookie("__Host-hl_session");
    let fresh = link(server, Offer::Login { person: own }).await;
    let fields = [("link", fresh.as_str()), ("next", INVITE)];
    let proved = olga.submit("/console/proof", &proof, &fields).await;
    assert_eq!(proved.location(), INVITE);
    assert_ne!(
        olga.cookie("__Host-hl_session"),
        session,
        "under a new name"
    );
    assert_eq!(olga.get(INVITE).await.status, 200);
    let stolen = Browser::new(server);
    stolen.keep("__Host-hl_session", &session.expect("a session"));
    assert_eq!(
        stolen.get(PEOPLE).await.status,
        401,
        "the old session is over"
    );
}

/// An operator under rules gives nobody more than those allow.
#[tokio::test]
async fn an_operator_under_rules_invites_under_the_same() {
    let connections = Connections::start(1, &format!("{RULES}[policies.open]\n")).await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let otto = connections
        .invited("Otto", &[], |invitation| {
            invitation.role = PersonRole::Operator;
            invitation.policy = Some("front".to_owned());
        })
        .await;
    let browser = Browser::new(server);
    let made = Links::new(&server.store())
        .make(
            Offer::Login {
                person: otto.id.clone(),
            },
            SignedDuration::from_mins(5),
            1,
            None,
        )
        .await
        .expect("a link");
    let link = secrecy::ExposeSecret::expose_secret(&made.1).to_owned();
    browser.post("/console/signin", &[("link", &link)]).await;
    for (rules, status) in [("none", 400), ("section:open", 400), ("section:front", 200)] {
        let fields = [("name", "Eve"), ("role", "operator"), ("rules", rules)];
        assert_eq!(invite(&browser, &fields).await.status, status, "{rules}");
    }
}
