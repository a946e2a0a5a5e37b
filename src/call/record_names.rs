//! Whom a batch of sends would reach: the names of the first few, for whoever is asked to agree.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{CallContext, ConsentSource, Facts, Pipeline, Subject, Validated};
use crate::catalog;
use crate::catalog::decoding::from_json;
use policy::Mode;
use tool::{Effect, Tool};

/// Each is a call; a person who looks at a preview reads no more names.
pub(super) const MOST_NAMED: usize = 5;

/// Arguments that name a contact, wherever they stand in a request.
const CONTACT_ID: &str = "contactId";

static GET_CONTACT: LazyLock<Option<&'static Tool>> =
    LazyLock::new(|| catalog::get("/contacts/{contactId}"));

/// The contact that a call reaches.
pub(super) fn contact_id(validated: &Validated) -> Option<&str> {
    let arguments = validated.arguments();
    let places = [&arguments.path, &arguments.query];
    let in_body = || arguments.body.as_ref()?.get(CONTACT_ID);
    let found = places.iter().find_map(|values| values.0.get(CONTACT_ID));
    found.or_else(in_body)?.as_str()
}

impl Pipeline {
    /// Reads the names of the first contacts that a batch of sends reaches, as its caller and under its rules. What
    /// cannot be read is shown by its id.
    pub(super) async fn name_recipients(
        &self,
        subject: &mut Subject,
        mode: Mode,
        context: &CallContext,
    ) {
        if mode == Mode::Off || subject.tool().effect != Effect::Send {
            return;
        }
        let Some(tool) = *GET_CONTACT else {
            return;
        };
        let mut recipients = Vec::new();
        for (facts, contact) in subject.contacts() {
            let name = self.read_name(tool, facts, contact, context).await;
            let mut recipient = json!({"contactId": contact});
            if let Some((name, do_not_disturb)) = name {
                recipient["name"] = json!(name);
                if do_not_disturb {
                    recipient["doNotDisturb"] = json!(true);
                }
            }
            recipients.push(recipient);
        }
        subject.set_recipients(recipients);
    }

    /// The contact's name, and whether it asked not to be disturbed.
    async fn read_name(
        &self,
        tool: &'static Tool,
        facts: &Facts,
        contact: &str,
        context: &CallContext,
    ) -> Option<(String, bool)> {
        let (variant, version) = tool.variant(self.transport().preferred());
        let facts = Facts {
            tool,
            variant,
            version,
            arguments: Map::from_iter([(CONTACT_ID.to_owned(), json!(contact))]),
            ..facts.clone()
        };
        facts.rules(context).shows(tool).ok()?;
        let reply = self
            .read(facts, ConsentSource::Caller(None), context)
            .await
            .ok()?;
        let answer: Value = from_json(reply.body.as_bytes()).ok()?;
        let contact = &answer["contact"];
        let part = |name: &str| contact[name].as_str().filter(|text| !text.is_empty());
        let whole = part("name").or(part("contactName")).map(str::to_owned);
        let name = whole.or_else(|| {
            let parts = ["firstName", "lastName"].into_iter().filter_map(part);
            let parts: Vec<&str> = parts.collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        });
        Some((name?, contact["dnd"] == true))
    }
}
