//! Asks an operation as its document says, with ids of records that the sandbox holds.

use std::collections::BTreeMap;

use ::sandbox::{COMPANY, LOCATION, TOKEN};
use serde_json::{Map, Value, json};

use super::resolved;
use crate::sandbox::{Sandbox, answer, list, text};
use test_support::server::client;

/// Ids of records that a sandbox holds, by the names that paths and bodies have for them.
pub(super) struct Ids {
    url: String,
    known: BTreeMap<&'static str, String>,
}

impl Ids {
    pub(super) async fn read(sandbox: &Sandbox) -> Self {
        let get = async |target: &str| {
            let (status, _, found) = sandbox.send(&format!("GET {target}"), TOKEN, None).await;
            assert_eq!(status, 200, "{target}: {found}");
            found
        };
        let contacts = get(&format!("/contacts/?locationId={LOCATION}&limit=100")).await;
        let id = |value: &Value, pointer: &str| text(value, pointer).to_owned();
        let contact = id(&contacts, "/contacts/0/id");
        let conversations = get(&format!(
            "/conversations/search?locationId={LOCATION}&contactId={contact}"
        ))
        .await;
        let conversation = id(&conversations, "/conversations/0/id");
        let messages = get(&format!("/conversations/{conversation}/messages")).await;
        let opportunities = get(&format!("/opportunities/search?location_id={LOCATION}")).await;
        let user = id(&opportunities, "/opportunities/0/assignedTo");
        let calendars = get(&format!("/calendars/?locationId={LOCATION}")).await;
        let calendar = id(&calendars, "/calendars/0/id");
        let window = format!("startTime=0&endTime=1999999999999&calendarId={calendar}");
        let events = get(&format!("/calendars/events?locationId={LOCATION}&{window}")).await;
        let event = id(&events, "/events/0/id");
        let of_event = format!("/calendars/appointments/{event}/notes?limit=1&offset=0");
        let account = format!("altId={LOCATION}&altType=location");
        let transactions = get(&format!("/payments/transactions?{account}")).await;
        let tasks = get(&format!("/contacts/{contact}/tasks")).await;
        let notes = get(&format!("/contacts/{contact}/notes")).await;
        let groups = get(&format!("/calendars/groups?locationId={LOCATION}")).await;
        let products = get(&format!("/products/?locationId={LOCATION}")).await;
        let product = id(&products, "/products/0/_id");
        let prices = get(&format!("/products/{product}/price?locationId={LOCATION}")).await;
        let all = get(&format!(
            "/conversations/search?locationId={LOCATION}&limit=100"
        ))
        .await;
        let mut all = list(&all, "/conversations").iter();
        let mails = all.find(|one| one["lastMessageType"] == "TYPE_EMAIL");
        let mails = id(mails.expect("a conversation by email"), "/id");
        let mails = get(&format!("/conversations/{mails}/messages")).await;
        let known = BTreeMap::from([
            ("group", id(&groups, "/groups/0/id")),
            ("price", id(&prices, "/prices/0/_id")),
            ("product", product),
            ("email", id(&mails, "/messages/messages/0/id")),
            (
                "tag",
                id(
                    &get(&format!("/locations/{LOCATION}/tags")).await,
                    "/tags/0/id",
                ),
            ),
            (
                "field",
                id(
                    &get(&format!("/locations/{LOCATION}/customFields")).await,
                    "/customFields/0/id",
                ),
            ),
            (
                "value",
                id(
                    &get(&format!("/locations/{LOCATION}/customValues")).await,
                    "/customValues/0/id",
                ),
            ),
            (
                "invoice",
                id(
                    &get(&format!(
                        "/invoices/?{account}&limit=1&offset=0&status=sent"
                    ))
                    .await,
                    "/invoices/0/_id",
                ),
            ),
            ("eventNote", id(&get(&of_event).await, "/notes/0/id")),
            ("task", id(&tasks, "/tasks/0/id")),
            ("note", id(&notes, "/notes/0/id")),
            (
                "stage",
                id(&opportunities, "/opportunities/0/pipelineStageId"),
            ),
            (
                "pipeline",
                id(&opportunities, "/opportunities/0/pipelineId"),
            ),
            ("opportunity", id(&opportunities, "/opportunities/0/id")),
            ("order", id(&transactions, "/data/0/entityId")),
            ("transaction", id(&transactions, "/data/0/_id")),
            ("message", id(&messages, "/messages/messages/0/id")),
            ("contact", contact),
            ("stranger", id(&contacts, "/contacts/1/id")),
            ("conversation", conversation),
            ("user", user),
            ("calendar", calendar),
            ("event", event),
        ]);
        Self {
            url: sandbox.url.clone(),
            known,
        }
    }

    /// The id that a path wants in the place of `name`.
    fn of_path(&self, path: &str, name: &str) -> String {
        let record = match (name, path) {
            ("locationId" | "location_id" | "altId", _) => return LOCATION.to_owned(),
            ("companyId", _) => return COMPANY.to_owned(),
            // The first contact has a conversation already.
            ("contactId", "/conversations/") => "stranger",
            ("contactId", _) => "contact",
            ("conversationId", _) => "conversation",
            ("userId", _) => "user",
            ("calendarId", _) => "calendar",
            ("eventId", "/calendars/events/block-slots/{eventId}") => "block",
            ("eventId" | "appointmentId", _) => "event",
            ("groupId", "/calendars/groups/{groupId}" | "/calendars/groups/{groupId}/status") => {
                "group"
            }
            ("productId", path) if path.starts_with("/products/{productId}") => "product",
            ("priceId", path) if path.starts_with("/products/{productId}") => "price",
            ("type", "/contacts/bulk/tags/update/{type}") => return "add".to_owned(),
            ("conversationProviderId", _) => return "sandboxProvider00001".to_owned(),
            ("noteId", _) => "eventNote",
            ("taskId", _) => "task",
            ("tagId", _) => "tag",
            ("messageId", path) if path.ends_with("/schedule") => "scheduled",
            ("messageId", _) => "message",
            ("orderId", _) => "order",
            ("transactionId", _) => "transaction",
            ("invoiceId", _) => "invoice",
            ("pipelineId", _) => "pipeline",
            ("pipelineStageId", _) => "stage",
            ("id", path) if path.contains("/contacts/{contactId}/notes") => "note",
            ("id", path) if path.starts_with("/opportunities/") => "opportunity",
            ("id", "/conversations/messages/email/{id}") => "email",
            ("id", path) if path.starts_with("/conversations/messages/") => "message",
            ("id", path) if path.contains("/customFields/") => "field",
            ("id", path) if path.contains("/customValues/") => "value",
            _ => return "x1".to_owned(),
        };
        self.known[record].clone()
    }

    /// Asks as the document says, with a token that the operation takes.
    pub(super) async fn ask(
        &self,
        document: &Value,
        path: &str,
        method: &str,
        operation: &Value,
    ) -> (u16, Value) {
        let template = path
            .split('/')
            .map(|segment| match segment.strip_prefix('{') {
                Some(name) => self.of_path(path, name.trim_end_matches('}')),
                None => segment.to_owned(),
            });
        let mut target = template.collect::<Vec<_>>().join("/");
        let shared = document["paths"][path]["parameters"]
            .as_array()
            .into_iter()
            .flatten();
        let own = operation["parameters"].as_array().into_iter().flatten();
        let mut query = Vec::new();
        for parameter in shared.chain(own).map(|one| resolved(document, one)) {
            let needed = parameter["required"] == true || parameter["name"] == "calendarId";
            if parameter["in"] == "query" && needed {
                let name = text(parameter, "/name");
                let value = self.value(document, path, name, &parameter["schema"], 0);
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                query.push(format!("{name}={value}"));
            }
        }
        if path == "/payments/orders/{orderId}" {
            query.push("altType=location".to_owned());
        }
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        let schemes: Vec<&String> = operation["security"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flat_map(Map::keys)
            .collect();
        let takes = |one: &str| schemes.iter().any(|scheme| *scheme == one);
        let minted;
        let token = if schemes.is_empty() || takes("bearer") || takes("Location-Access") {
            TOKEN
        } else if takes("Agency-Access") {
            "pit-sandbox-agency"
        } else {
            let company = takes("Agency-Access-Only");
            minted = self
                .minted(if company { "company" } else { "location" })
                .await;
            &minted
        };
        let url = format!("{}{target}", self.url);
        let mut request = client()
            .request(method.to_uppercase().parse().expect("a method"), url)
            .header("version", "2021-07-28")
            .bearer_auth(token);
        let content = resolved(document, &operation["requestBody"])["content"].as_object();
        if let Some((media, content)) = content.and_then(|content| content.iter().next()) {
            let body = self.value(document, path, "", &content["schema"], 0);
            if media == "application/x-www-form-urlencoded" {
                let grant = ("grant_type", "authorization_code");
                let fields = body
                    .as_object()
                    .expect("fields")
                    .iter()
                    .map(|(name, value)| {
                        let value = match name.as_str() {
                            "client_id" => "sandbox-client",
                            "client_secret" => "sandbox-secret",
                            "grant_type" => grant.1,
                            _ => value.as_str().unwrap_or_default(),
                        };
                        format!("{name}={value}")
                    });
                let mut fields: Vec<String> = fields.collect();
                if path == "/oauth/token" {
                    fields.push("code=sandbox-code-location".to_owned());
                }
                request = request.header("content-type", media).body(fields.join("&"));
            } else if media == "multipart/form-data" {
                request = request
                    .header("content-type", "multipart/form-data; boundary=b")
                    .body("--b--\r\n");
            } else {
                request = request.json(&body);
            }
        }
        let (status, _, found) = answer(request).await;
        (status, found)
    }

    /// An OAuth token of the company or the location.
    async fn minted(&self, class: &str) -> String {
        let form = format!(
            "client_id=sandbox-client&client_secret=sandbox-secret&grant_type=authorization_code&code=sandbox-code-{class}"
        );
        let request = client()
            .post(format!("{}/oauth/token", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let (_, _, tokens) = answer(request).await;
        text(&tokens, "/access_token").to_owned()
    }

    /// Makes what the operation of `path` wants and no seed has: a message on schedule, a blocked time.
    pub(super) async fn prepare(&mut self, path: &str) {
        let (target, body, name, member) = match path {
            _ if path.ends_with("/messages/{messageId}/schedule") => (
                "/conversations/messages",
                json!({
                    "type": "SMS", "contactId": self.known["contact"], "message": "Later",
                    "scheduledTimestamp": 1_999_999_999,
                }),
                "scheduled",
                "/messageId",
            ),
            "/calendars/events/block-slots/{eventId}" => (
                "/calendars/events/block-slots",
                json!({
                    "calendarId": self.known["calendar"], "locationId": LOCATION, "title": "Lunch",
                    "startTime": "2031-05-05T09:00:00Z", "endTime": "2031-05-05T10:00:00Z",
                }),
                "block",
                "/id",
            ),
            _ => return,
        };
        let request = client()
            .post(format!("{}{target}", self.url))
            .header("version", "2021-04-15")
            .bearer_auth(TOKEN)
            .json(&body);
        let (_, _, made) = answer(request).await;
        self.known.insert(name, text(&made, member).to_owned());
    }

    /// A value of the schema with what it requires, and records that exist where a name asks for one.
    fn value(
        &self,
        document: &Value,
        path: &str,
        name: &str,
        schema: &Value,
        depth: usize,
    ) -> Value {
        let schema = resolved(document, schema);
        if let Some(allowed) = schema["enum"].as_array() {
            // Three documents put the list of values into a list.
            let first = allowed.first().cloned().unwrap_or_default();
            return first.get(0).cloned().unwrap_or(first);
        }
        if schema.get("x-example-type").is_some() {
            return json!("x1");
        }
        match schema["type"].as_str() {
            Some("string") => json!(match name {
                "altType" => "location".to_owned(),
                "startTime" | "endTime" if path.contains("appointments") =>
                    "2031-05-05T09:00:00Z".to_owned(),
                "startTime" | "endTime" => "1999999999999".to_owned(),
                "status" if path.starts_with("/opportunities") => "open".to_owned(),
                "message" => "Hello".to_owned(),
                "type" if path.ends_with("/messages/inbound") => "SMS".to_owned(),
                name => self.of_path(path, name),
            }),
            Some("number" | "integer") => json!(1),
            Some("boolean") => json!(true),
            Some("array") => json!([]),
            Some("object") | None if depth < 8 => {
                let mut members = Map::new();
                let required = schema["required"].as_array().into_iter().flatten();
                let needed = ["message", "contactId", "email"];
                let required = required.filter_map(Value::as_str);
                let useful = needed
                    .into_iter()
                    .filter(|_| path.ends_with("/messages") && depth == 0);
                for name in required.chain(useful) {
                    let member = &schema["properties"][name];
                    if !member.is_null() {
                        members.insert(
                            name.to_owned(),
                            self.value(document, path, name, member, depth + 1),
                        );
                    }
                }
                if path == "/contacts/search" && depth == 0 {
                    return json!({"locationId": LOCATION, "pageLimit": 3});
                }
                Value::Object(members)
            }
            _ => json!({}),
        }
    }
}
