//! Every operation of the documents, asked as its document says, answers as its document says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use highlevel_mcp::sandbox::{COMPANY, LOCATION, Options, TOKEN, coverage};
use serde_json::{Map, Value, json};

use super::{Sandbox, answer, text};
use crate::server::client;

/// Operations whose documented answer a repair denies, and the repair.
const MENDED: &[(&str, &str, &str)] = &[
    (
        "GET /conversations/{conversationId}/messages",
        "conversations",
        "$.components.schemas.GetMessagesByConversationResponseDto",
    ),
    (
        "GET /opportunities/pipelines",
        "opportunities",
        "$.components.schemas.PipelinesResponseSchema.properties.stages.items",
    ),
    (
        "POST /locations/{locationId}/tasks/search",
        "locations",
        "$.components.schemas.LocationTaskListSuccessfulResponseDto.properties.tasks.items",
    ),
];

/// Documents whose records the sandbox keeps.
const STATEFUL: [&str; 8] = [
    "calendars",
    "contacts",
    "conversations",
    "invoices",
    "locations",
    "opportunities",
    "payments",
    "users",
];

/// Operations without a documented answer.
const SILENT: usize = 133;

#[tokio::test]
async fn every_answer_is_what_its_document_describes() {
    let (mut asked, mut silent, mut mended) = (0, 0, Vec::new());
    let mut faults = Vec::new();
    let sandbox = Sandbox::start(Options::default()).await;
    // The same seed makes the same ids after every reset.
    let mut ids = Ids::of(&sandbox).await;
    let mut changed = false;
    for (stem, document) in documents() {
        let schemas = checkable(&document);
        for (path, item) in document["paths"].as_object().expect("paths") {
            for method in ["get", "post", "put", "patch", "delete"] {
                let Some(operation) = item.get(method) else {
                    continue;
                };
                let key = format!("{} {path}", method.to_uppercase());
                asked += 1;
                // Each write finds what there was, and none the rate limit of those before; ids stay the same.
                if changed || asked % 50 == 0 {
                    answer(client().post(format!("{}/__sandbox/reset", sandbox.url))).await;
                }
                changed = method != "get" && STATEFUL.contains(&stem.as_str());
                if path.ends_with("/messages/{messageId}/schedule") {
                    ids.schedule().await;
                }
                let (status, found) = ids.ask(&document, path, method, operation).await;
                if !(200..300).contains(&status) {
                    faults.push(format!("{stem} {key}: {status} {found}"));
                    continue;
                }
                let success = operation["responses"].as_object().into_iter().flatten();
                let success = success.filter(|(status, _)| status.starts_with('2'));
                let schema = success.into_iter().find_map(|(_, answer)| {
                    Some(answer["content"].as_object()?.values().next()?["schema"].clone())
                });
                let Some(schema) = schema.filter(|schema| !schema.is_null()) else {
                    silent += 1;
                    continue;
                };
                if MENDED.iter().any(|(mended, ..)| *mended == key) {
                    mended.push(key);
                    continue;
                }
                let mut whole = checkable(&schema);
                whole["components"] = schemas["components"].clone();
                let checker = jsonschema::validator_for(&whole).expect("a schema");
                if let Err(error) = checker.validate(&found) {
                    faults.push(format!(
                        "{stem} {key}: {error} at {}",
                        error.instance_path()
                    ));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {asked}:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert_eq!((asked, silent), coverage());
    assert_eq!((asked, silent), (576, SILENT));
    assert_eq!(
        mended.len(),
        MENDED.len(),
        "a mended operation is gone: {mended:?}"
    );
}

fn documents() -> BTreeMap<String, Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi/highlevel");
    let entries = std::fs::read_dir(folder).expect("documents");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let stem = path
                .file_stem()
                .expect("a stem")
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path).expect("a file");
            (stem, serde_json::from_str(&text).expect("JSON"))
        })
        .collect()
}

/// The schema as JSON Schema 2020-12 understands it: null where OpenAPI says nullable, and no type where the
/// document's own example contradicts it.
fn checkable(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut checkable: Map<String, Value> = members
                .iter()
                .filter(|(name, _)| *name != "example" && *name != "format")
                // Branches overlap in these documents.
                .map(|(name, member)| {
                    let name = if name == "oneOf" { "anyOf" } else { name };
                    (name.to_owned(), self::checkable(member))
                })
                .collect();
            if members.contains_key("x-example-type") {
                checkable.remove("type");
                checkable.remove("properties");
                checkable.remove("items");
            }
            let kind = checkable
                .get("type")
                .and_then(Value::as_str)
                .map(str::to_owned);
            if let (Some(kind), true) = (kind, members.get("nullable") == Some(&json!(true))) {
                checkable.insert("type".to_owned(), json!([kind, "null"]));
            }
            Value::Object(checkable)
        }
        Value::Array(items) => items.iter().map(checkable).collect(),
        plain => plain.clone(),
    }
}

/// Ids of records that a sandbox holds, by the names that paths and bodies have for them.
struct Ids {
    url: String,
    known: BTreeMap<&'static str, String>,
}

impl Ids {
    async fn of(sandbox: &Sandbox) -> Self {
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
        let known = BTreeMap::from([
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
                    &get(&format!("/invoices/?{account}&limit=1&offset=0")).await,
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
            ("eventId" | "appointmentId", _) => "event",
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
            ("id", path) if path.starts_with("/conversations/messages/") => "message",
            ("id", path) if path.contains("/customFields/") => "field",
            ("id", path) if path.contains("/customValues/") => "value",
            _ => return "x1".to_owned(),
        };
        self.known[record].clone()
    }

    /// Asks as the document says, with a token that the operation takes.
    async fn ask(
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

    /// Puts a message on schedule, and gives its id in the place of one that was sent.
    async fn schedule(&mut self) {
        let body = json!({
            "type": "SMS", "contactId": self.known["contact"], "message": "Later", "scheduledTimestamp": 1_999_999_999,
        });
        let request = client()
            .post(format!("{}/conversations/messages", self.url))
            .header("version", "2021-04-15")
            .bearer_auth(TOKEN)
            .json(&body);
        let (_, _, sent) = answer(request).await;
        self.known
            .insert("scheduled", text(&sent, "/messageId").to_owned());
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
            return allowed.first().cloned().unwrap_or_default();
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

fn resolved<'d>(document: &'d Value, mut schema: &'d Value) -> &'d Value {
    while let Some(reference) = schema["$ref"].as_str() {
        schema = document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or(&Value::Null);
    }
    match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([only]) => resolved(document, only),
        _ => schema,
    }
}
