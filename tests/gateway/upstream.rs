//! The only way to HighLevel: the right to send, what an answer says about a token, and the budget for its bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use highlevel_mcp::budget::Budget;
use highlevel_mcp::catalog::TOOLS;
use highlevel_mcp::config::{Config, Flags};
use highlevel_mcp::upstream::caller::Credential;
use highlevel_mcp::upstream::failure::FailureClass;
use highlevel_mcp::upstream::{
    Authority, Caller, CountedUnder, Failure, Outgoing, Reply, Sender, Standing, Target, TenantId,
    Transport,
};
use reqwest::{Method, Request};
use test_support::recording::{Recording, json as answer};
use test_support::wire::{Step, Wire, whole};
use tool::Tool;

const READ: &str = "contacts_get-contact";
const WRITE: &str = "contacts_create-contact";

/// The transport of a process, with the right to use it.
struct Upstream {
    transport: Transport,
    authority: Authority,
    base: String,
}

impl Upstream {
    fn new(base: &str) -> Self {
        let flags = Flags {
            base_url: Some(base.to_owned()),
            ..Flags::default()
        };
        let config = Config::from_sources(&flags, []).expect("settings");
        let transport = Transport::new(&config.upstream, &config.limits).expect("a transport");
        let authority = transport.take_authority().expect("the first one to ask");
        Self {
            transport,
            authority,
            base: base.to_owned(),
        }
    }

    fn outgoing(&self, tool: &'static Tool, sender: Sender, names: bool) -> Box<Outgoing> {
        let path = tool.path.replace("{contactId}", "c1");
        let url = format!("{}{path}", self.base).parse().expect("a URL");
        let method = Method::from_bytes(tool.method.as_bytes()).expect("a method");
        let target = Target {
            tool,
            version: tool.version,
            location: TenantId::parse("L0"),
            names_location: names,
        };
        let outgoing = self
            .transport
            .outgoing(target, sender, Request::new(method, url));
        outgoing.expect("a request")
    }

    async fn send(
        &self,
        tool: &'static Tool,
        sender: Sender,
        names: bool,
    ) -> Result<Reply, Failure> {
        let outgoing = self.outgoing(tool, sender, names);
        let permit = self.authority.allow(outgoing, Box::new(|| Ok(())));
        self.transport.send(permit, &AtomicU32::new(0)).await
    }
}

fn caller(token: &str) -> Caller {
    Caller {
        credential: Credential::parse(token).expect("a token"),
        location: None,
        company: None,
        configured: None,
        home: None,
    }
}

fn sender(token: &str, budget: &Budget) -> Sender {
    Sender {
        caller: caller(token),
        known: false,
        agency: false,
        address: None,
        budget: budget.clone(),
    }
}

fn tool(name: &str) -> &'static Tool {
    let found = TOOLS.iter().find(|tool| tool.name == name);
    found.expect("a tool")
}

/// The tool with `proves` as its mark that a success proves a location.
fn proving(name: &str, proves: bool) -> &'static Tool {
    let one = tool(name).clone();
    Box::leak(Box::new(Tool { proves, ..one }))
}

#[tokio::test]
async fn the_right_to_send_is_given_once() {
    let upstream = Upstream::new("http://127.0.0.1:1");
    assert!(upstream.transport.take_authority().is_none());
    assert!(upstream.transport.clone().take_authority().is_none());
    let outgoing = upstream.outgoing(tool(READ), sender("pit-a", &Budget::default()), false);
    assert_eq!(outgoing.method(), "GET");
    assert_eq!(outgoing.url().path(), "/contacts/c1");
    assert!(outgoing.body().is_none());
}

#[tokio::test]
async fn eight_calls_of_a_new_token_go_four_at_a_time() {
    // The calls that arrived, and those that arrived before the first answer. That answer accepts the token, and then
    // all may be sent.
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let shared = Arc::clone(&counts);
    let highlevel = Recording::start_async(move |_| {
        let counts = Arc::clone(&shared);
        async move {
            let [arrived, at_first] = &*counts;
            arrived.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(500)).await;
            let all = arrived.load(Ordering::SeqCst);
            let _ = at_first.compare_exchange(0, all, Ordering::SeqCst, Ordering::SeqCst);
            answer(200, r#"{"contact":{}}"#)
        }
    })
    .await;
    let upstream = Upstream::new(&highlevel.url);
    let budget = Budget::default();
    for (standing, expected) in [(Standing::New, 4), (Standing::Accepted, 8)] {
        for counter in &*counts {
            counter.store(0, Ordering::SeqCst);
        }
        assert_eq!(upstream.transport.standing(&caller("pit-a")), standing);
        let calls = (0..8).map(|_| upstream.send(tool(READ), sender("pit-a", &budget), false));
        let refused = join_all(calls)
            .await
            .iter()
            .filter(|call| call.is_err())
            .count();
        let most = counts[1].load(Ordering::SeqCst);
        println!(
            "8 calls at once of a token that is {standing:?}: {most} under way, {refused} refused"
        );
        assert_eq!((most, refused), (expected, 0));
    }
}

#[tokio::test]
async fn only_a_success_that_proves_a_location_proves_it() {
    let forbidden = r#"{"message":"The token does not have access to this location."}"#;
    /// A call, and whether it proves the location.
    #[derive(Clone, Copy, Debug)]
    struct Row {
        status: &'static str,
        body: &'static str,
        /// The mark of the operation.
        proves: bool,
        /// Whether the request names the location.
        names: bool,
        proven: bool,
    }
    let usual = Row {
        status: "200 OK",
        body: "{}",
        proves: true,
        names: true,
        proven: false,
    };
    #[rustfmt::skip]
    let rows = [
        Row { proven: true, ..usual },
        Row { names: false, ..usual },
        Row { proves: false, ..usual },
        Row { body: "<html>", ..usual },
        Row { status: "403 Forbidden", body: forbidden, ..usual },
        Row { status: "404 Not Found", ..usual },
        Row { status: "400 Bad Request", ..usual },
    ];
    let location = TenantId::parse("L0").expect("an id");
    for row in rows {
        let proven = row.proven;
        let wire = Wire::start(move |number| match number {
            0 => vec![whole(row.status, "", row.body)],
            _ => vec![whole("403 Forbidden", "", forbidden)],
        })
        .await;
        let upstream = Upstream::new(&wire.url);
        let transport = &upstream.transport;
        let budget = Budget::default();
        let tool = proving(READ, row.proves);
        let sender = || sender("pit-a", &budget);
        let _ = upstream.send(tool, sender(), row.names).await;
        assert_eq!(
            transport.is_proven(&caller("pit-a"), &location),
            proven,
            "{row:?}"
        );
        let counted = transport.counted_under(&caller("pit-a"), Some(&location));
        let is_location = matches!(counted, CountedUnder::Location(_));
        assert_eq!(is_location, proven, "{row:?}");
        // A request without a location counts for the only location that the token reaches.
        let unnamed = transport.counted_under(&caller("pit-a"), None);
        assert_eq!(unnamed, counted, "{row:?}");
        assert!(!transport.is_proven(&caller("pit-b"), &location), "{row:?}");
        // HighLevel no longer accepts the token.
        let _ = upstream.send(tool, sender(), true).await;
        assert!(!transport.is_proven(&caller("pit-a"), &location), "{row:?}");
    }
}

#[tokio::test]
async fn the_settings_prove_a_location_and_a_name_in_a_call_does_not() {
    let upstream = Upstream::new("http://127.0.0.1:1");
    let [home, other] = ["L0", "L1"].map(|id| TenantId::parse(id).expect("an id"));
    let own = Caller {
        home: Some(home.clone()),
        ..caller("pit-a")
    };
    let counted = |location| upstream.transport.counted_under(&own, location);
    assert_eq!(counted(Some(&home)), CountedUnder::Location(home.clone()));
    let under_itself = CountedUnder::Credential(upstream.transport.digest(&own));
    assert_eq!(counted(Some(&other)), under_itself);
    assert_eq!(counted(None), CountedUnder::Location(home));
}

#[tokio::test]
async fn an_answer_is_paid_for_until_it_is_dropped() {
    let body = format!("{{\"contact\": {{\"name\": \"{}\"}}}}", "x".repeat(50_000));
    let length = body.len();
    let wire = Wire::start(move |_| vec![whole("200 OK", "", &body)]).await;
    let upstream = Upstream::new(&wire.url);
    let budget = Budget::new(60_000);
    let ask = |name: &str| upstream.send(tool(name), sender("pit-a", &budget), false);
    let reply = ask(READ).await.expect("an answer");
    assert_eq!((budget.used(), reply.charge.bytes()), (length, length));
    for (name, class) in [
        (READ, FailureClass::RateLimited),
        (WRITE, FailureClass::UnknownOutcome),
    ] {
        let failure = ask(name).await.expect_err("no room");
        assert_eq!((failure.class, budget.used()), (class, length), "{failure}");
        assert!(!failure.not_executed(), "{failure}");
    }
    drop(reply);
    assert_eq!(budget.used(), 0);
    assert!(ask(READ).await.is_ok());
}

#[tokio::test]
async fn calls_that_were_not_executed_are_told_from_unknown_outcomes() {
    #[rustfmt::skip]
    let rows: [(&str, Vec<Step>, bool); 7] = [
        ("a reset", vec![Step::Reset], false),
        ("no answer", vec![Step::Close], false),
        ("429", vec![whole("429 Too Many Requests", "retry-after: 60\r\n", "{}")], true),
        ("401", vec![whole("401 Unauthorized", "", r#"{"message":"Invalid JWT"}"#)], true),
        ("403", vec![whole("403 Forbidden", "", "{}")], true),
        ("422", vec![whole("422 Unprocessable Entity", "", "{}")], false),
        ("500", vec![whole("500 Internal Server Error", "", "{}")], false),
    ];
    for (name, steps, expected) in rows {
        let wire = Wire::start(move |_| steps.clone()).await;
        let upstream = Upstream::new(&wire.url);
        let answer = upstream.send(tool(WRITE), sender("pit-a", &Budget::default()), false);
        let failure = answer.await.expect_err(name);
        assert_eq!(failure.not_executed(), expected, "{name}: {failure}");
    }
    let upstream = Upstream::new("http://127.0.0.1:1");
    let answer = upstream.send(tool(WRITE), sender("pit-a", &Budget::default()), false);
    assert!(answer.await.expect_err("nobody listens").not_executed());
}
