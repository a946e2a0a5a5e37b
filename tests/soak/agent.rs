//! An agent: it reads, writes under idempotency keys, sends, confirms at one instance the preview of another, and
//! repeats unanswered calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{CallResult, Client};
use crate::fleet::Fleet;
use crate::intent::{Intent, IntentKind, Ledger, deletion, fates};
use crate::options::Options;

/// Most calls for one intent until it is left open.
const MOST_CALLS: usize = 40;

/// An agent that is told to wait longer than this does something else.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Messages of a batch: more than may be sent without a preview.
const BATCH: usize = 6;

pub(crate) struct Agent {
    number: usize,
    client: Client,
    /// For two simultaneous calls.
    second: Client,
    fleet: Arc<Fleet>,
    pause: u64,
    /// Whether it cuts connections.
    cuts: bool,
    ledger: Ledger,
    /// The contact that it sends to.
    contact: Option<String>,
    /// Contacts that it created and nobody needs.
    spare: Vec<String>,
    next: usize,
}

impl Agent {
    pub(crate) fn new(number: usize, key: String, fleet: &Arc<Fleet>, options: &Options) -> Self {
        let mut ledger = Ledger::default();
        let client = || Client::new(&key, fleet.len());
        let (client, second) = (client(), client());
        ledger.keys.insert(number, key);
        Self {
            number,
            client,
            second,
            fleet: Arc::clone(fleet),
            pause: options.pause,
            cuts: !options.is_upgrade(),
            ledger,
            contact: None,
            spare: Vec::new(),
            next: 0,
        }
    }

    pub(crate) async fn work(mut self, until: Instant) -> Ledger {
        // Agents do not all begin at once.
        self.rest().await;
        while Instant::now() < until {
            match fastrand::u32(..100) {
                _ if self.contact.is_none() => self.create(true).await,
                0..45 => self.read().await,
                45..68 => self.create(true).await,
                68..73 => self.create(false).await,
                73..87 => self.send().await,
                87..92 => self.send_batch().await,
                _ => self.delete_batch().await,
            }
            self.rest().await;
        }
        self.ledger
    }

    async fn rest(&self) {
        sleep(Duration::from_millis(fastrand::u64(..=self.pause))).await;
    }

    async fn read(&mut self) {
        let contact = self.contact.clone().unwrap_or_default();
        let arguments =
            json!({"operation": "contacts_get-contact", "arguments": {"contactId": contact}});
        self.conclude(("call_read", &arguments), None).await;
    }

    /// Creates a contact. Without a key the request is sent once, whatever the answer.
    async fn create(&mut self, has_key: bool) {
        let marker = self.marker("contact");
        let number = 2_000_000 + self.number * 10_000 + self.next;
        let mut arguments = json!({
            "operation": "contacts_create-contact",
            "arguments": {
                "firstName": marker, "email": format!("{marker}@example.com"), "phone": format!("+1202{number:07}"),
            },
        });
        let (kind, (result, was_lost)) = match has_key {
            true => {
                arguments["idempotencyKey"] = json!(marker);
                let cut = self.cut_sometimes();
                (
                    IntentKind::KeyedCreate,
                    self.conclude(("call_write", &arguments), cut).await,
                )
            }
            false => {
                let instance = self.fleet.choose(None);
                let result = self.call(instance, ("call_write", &arguments), None).await;
                let was_lost = matches!(result, CallResult::Lost);
                (IntentKind::Create, (result, was_lost))
            }
        };
        if let CallResult::Done(answer) = &result {
            let id = answer["contact"]["id"].as_str().or(answer["id"].as_str());
            let id = id.unwrap_or_else(|| panic!("no id in {answer}")).to_owned();
            match self.contact {
                None => self.contact = Some(id),
                Some(_) => self.spare.push(id),
            }
        }
        let repeat = has_key.then_some(("call_write", arguments));
        self.note((kind, vec![marker], repeat), &result, was_lost);
    }

    async fn send(&mut self) {
        let marker = self.marker("message");
        let contact = self.contact.clone();
        let arguments = json!({
            "operation": "conversations_send-a-new-message",
            "arguments": {"type": "SMS", "contactId": contact, "message": marker},
            "idempotencyKey": marker,
        });
        let (result, was_lost) = self
            .conclude(("call_send", &arguments), self.cut_sometimes())
            .await;
        let repeat = Some(("call_send", arguments));
        self.note((IntentKind::Send, vec![marker], repeat), &result, was_lost);
    }

    async fn send_batch(&mut self) {
        let markers: Vec<String> = (0..BATCH).map(|_| self.marker("item")).collect();
        let items: Vec<Value> = markers
            .iter()
            .map(|marker| json!({"message": marker}))
            .collect();
        let arguments = json!({
            "operation": "conversations_send-a-new-message",
            "arguments": {"type": "SMS", "contactId": self.contact.clone()},
            "items": items,
        });
        self.confirm((IntentKind::SendBatch, markers), ("call_send", arguments))
            .await;
    }

    async fn delete_batch(&mut self) {
        let from = self.spare.len().saturating_sub(3);
        let contacts = self.spare.split_off(from);
        if contacts.is_empty() {
            return self.create(true).await;
        }
        let items: Vec<Value> = contacts.iter().map(|id| json!({"contactId": id})).collect();
        let markers = contacts.iter().map(|id| deletion(id)).collect();
        let arguments =
            json!({"operation": "contacts_delete-contact", "arguments": {}, "items": items});
        let what = (IntentKind::DeleteBatch, markers);
        self.confirm(what, ("call_destructive", arguments)).await;
    }

    /// Has one instance preview a call and another one make it. Sometimes two are asked at once.
    async fn confirm(
        &mut self,
        (kind, markers): (IntentKind, Vec<String>),
        (tool, arguments): (&'static str, Value),
    ) {
        let (preview, _) = self.conclude((tool, &arguments), None).await;
        let CallResult::Preview(token) = preview else {
            // A preview sends nothing, whatever its result.
            self.note((kind, markers, None), &preview, false);
            return;
        };
        let arguments = json!({"confirm": token});
        if fastrand::u32(..10) < 3 {
            let one = self.fleet.choose(None);
            let other = self.fleet.choose(Some(one));
            let (client, second) = (&mut self.client, &mut self.second);
            let addresses = (self.fleet.address(one), self.fleet.address(other));
            let both = join(
                client.call((one, addresses.0), (tool, &arguments), None),
                second.call((other, addresses.1), (tool, &arguments), None),
            );
            let (first, second) = both.await;
            self.ledger.count(&first);
            self.ledger.count(&second);
        }
        let (result, _) = self
            .conclude((tool, &arguments), self.cut_sometimes())
            .await;
        self.note((kind, markers, Some((tool, arguments))), &result, true);
    }

    /// Calls one instance after another until the outcome is known. Returns whether one call went unanswered.
    async fn conclude(
        &mut self,
        call: (&str, &Value),
        cut: Option<Duration>,
    ) -> (CallResult, bool) {
        let (mut not, mut was_lost) = (None, false);
        let mut last = CallResult::NotConnected;
        for number in 0..MOST_CALLS {
            let instance = self.fleet.choose(not);
            let cut = cut.filter(|_| number == 0);
            last = self.call(instance, call, cut).await;
            let wait = match &last {
                CallResult::NotConnected | CallResult::Lost => {
                    not = Some(instance);
                    was_lost |= matches!(last, CallResult::Lost);
                    Duration::from_millis(50)
                }
                CallResult::UnderWay => Duration::from_secs(1),
                CallResult::Refused(_) => Duration::from_millis(500),
                CallResult::Nothing(class, Some(wait))
                    if class == "rate_limited" && *wait < LONGEST_WAIT =>
                {
                    *wait
                }
                _ => break,
            };
            sleep(wait).await;
        }
        (last, was_lost)
    }

    async fn call(
        &mut self,
        instance: usize,
        call: (&str, &Value),
        cut: Option<Duration>,
    ) -> CallResult {
        let begun = Instant::now();
        let address = self.fleet.address(instance);
        let result = self.client.call((instance, address), call, cut).await;
        if !matches!(result, CallResult::NotConnected | CallResult::Lost) {
            self.ledger.taken.push(begun.elapsed());
        }
        self.ledger.count(&result);
        result
    }

    fn note(
        &mut self,
        (kind, markers, repeat): (IntentKind, Vec<String>, Option<(&'static str, Value)>),
        result: &CallResult,
        was_lost: bool,
    ) {
        self.ledger.intents.push(Intent {
            kind,
            agent: self.number,
            fates: fates(result, markers.len()),
            markers,
            repeat,
            was_lost,
        });
    }

    /// The time after which it disconnects, in one call of six.
    fn cut_sometimes(&self) -> Option<Duration> {
        let leaves = self.cuts && fastrand::u32(..6) == 0;
        leaves.then(|| Duration::from_millis(fastrand::u64(..120)))
    }

    fn marker(&mut self, what: &str) -> String {
        self.next += 1;
        format!("{what}-{}-{}", self.number, self.next)
    }
}
