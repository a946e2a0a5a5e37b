//! Sends the documented request of an operation, with ids of records in the sandbox.

use ::sandbox::{LOCATION, TOKEN};
use serde_json::{Map, Value, json};

use super::ids::Ids;
use super::resolved;
use crate::sandbox::{answer, text};
use test_support::server::client;

impl Ids {
    /// Sends the documented request, with a token that the operation accepts.
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

    /// A value of the schema with its required members, and ids of existing records for names of records.
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
            // Three documents put the list of values into another list.
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
                    "2031-05-05T18:00:00Z".to_owned(),
                "startTime" | "endTime" => "1999999999999".to_owned(),
                // One of the states that the document's prose lists.
                "type" if path.ends_with("/posts/list") => "all".to_owned(),
                "status" if path.starts_with("/opportunities") => "open".to_owned(),
                "message" => "Hello".to_owned(),
                "type" if path.ends_with("/messages/inbound") => "SMS".to_owned(),
                name => self.of_path(path, name),
            }),
            Some("number" | "integer") => json!(1),
            Some("boolean") => json!(true),
            Some("array") if name == "accountIds" => json!([self.known["socialAccount"]]),
            Some("array") => json!([]),
            Some("object") | None if depth < 8 => {
                let mut members = Map::new();
                let required = schema["required"].as_array().into_iter().flatten();
                let needed = ["message", "contactId", "email"];
                let required = required.filter_map(Value::as_str);
                let useful = needed
                    .into_iter()
                    .filter(|_| depth == 0)
                    .filter(|name| match path {
                        "/contacts/" | "/contacts/upsert" => *name == "email",
                        _ => path.ends_with("/messages"),
                    });
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
