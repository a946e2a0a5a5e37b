//! Where a message to a contact goes, and whether the contact can get it there.

use serde_json::{Map, Value};

use tool::{Arguments, Effect, Tool};

/// The contact's address that a message is sent to.
pub(super) struct MessageTarget {
    /// Such as `SMS`, where the call says.
    pub channel: Option<String>,
    /// The call names the number or address itself.
    is_addressed: bool,
}

impl MessageTarget {
    /// `None`: the call sends no message to a contact.
    pub(super) fn new(tool: &Tool, arguments: &Map<String, Value>) -> Option<Self> {
        let has = |name: &str| tool.arguments.iter().any(|one| one.name == name);
        let is_message = tool.effect == Effect::Send && has("message") && has("contactId");
        let channel = arguments.get("type").and_then(Value::as_str);
        let mut addresses = ["toNumber", "emailTo"].into_iter();
        is_message.then(|| Self {
            channel: channel.map(str::to_owned),
            is_addressed: addresses.any(|name| arguments.contains_key(name)),
        })
    }

    /// The field of a contact that the message cannot do without.
    pub(super) fn address(&self) -> Option<&'static str> {
        match self.channel.as_deref()?.to_lowercase().as_str() {
            _ if self.is_addressed => None,
            "sms" | "rcs" | "whatsapp" => Some("phone"),
            "email" => Some("email"),
            _ => None,
        }
    }

    /// Whether the contact asked not to be disturbed, by this channel or any.
    pub(super) fn is_refused_by(&self, contact: &Value) -> bool {
        let of_channel = || {
            let settings = contact.get("dndSettings")?.as_object()?;
            let channel = self.channel.as_deref()?;
            let mut channels = settings.iter();
            let (_, setting) = channels.find(|(name, _)| name.eq_ignore_ascii_case(channel))?;
            let status = setting.get("status")?.as_str()?;
            Some(!status.eq_ignore_ascii_case("inactive"))
        };
        refuses_all(contact) || of_channel().unwrap_or_default()
    }
}

/// Whether a call lets messages to an existing contact pass again. Only the contact can consent to that, so a person
/// decides about the call.
pub(super) fn lifts_refusal(tool: &Tool, arguments: &Arguments) -> bool {
    let Some(body) = arguments.body.as_ref().filter(|_| !tool.additive) else {
        return false;
    };
    let is_open = |setting: &Value| {
        let status = setting.get("status").and_then(Value::as_str);
        status.is_some_and(|status| status.eq_ignore_ascii_case("inactive"))
    };
    let channels = body.get("dndSettings").and_then(Value::as_object);
    body.get("dnd") == Some(&Value::Bool(false))
        || channels.is_some_and(|channels| channels.values().any(is_open))
}

/// Whether arguments that were not checked yet, under whatever name, may be those of such a call.
pub(super) fn may_lift_refusal(arguments: &Map<String, Value>) -> bool {
    let mut names = arguments.keys();
    names.any(|name| name.to_lowercase().contains("dnd"))
}

/// Whether the contact asked not to be disturbed by any channel.
pub(super) fn refuses_all(contact: &Value) -> bool {
    contact.get("dnd") == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::TOOLS;

    #[test]
    fn a_refusal_is_lifted_by_whatever_opens_a_channel() {
        #[track_caller]
        fn check(tool: &str, body: Value, expected: bool) {
            let arguments = Arguments {
                body: Some(body),
                ..Arguments::default()
            };
            let found = TOOLS.iter().find(|one| one.name == tool);
            let lifts = lifts_refusal(found.expect("a tool"), &arguments);
            assert_eq!(lifts, expected, "{tool} {:?}", arguments.body);
        }
        let open =
            json!({"dndSettings": {"Email": {"status": "active"}, "SMS": {"status": "inactive"}}});
        let closed = json!({"dnd": true, "dndSettings": {"SMS": {"status": "permanent"}}});
        for tool in ["contacts_update-contact", "contacts_upsert-contact"] {
            check(tool, json!({"dnd": false}), true);
            check(tool, open.clone(), true);
            check(tool, closed.clone(), false);
            check(tool, json!({"firstName": "Ada"}), false);
        }
        // A new contact has refused nothing.
        check("contacts_create-contact", open, false);
    }

    #[track_caller]
    fn check(arguments: Value, contact: Value, is_refused: bool, address: Option<&str>) {
        let name = "conversations_send-a-new-message";
        let tool = TOOLS.iter().find(|tool| tool.name == name).expect(name);
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let target = MessageTarget::new(tool, &arguments).expect("a message");
        let found = (target.is_refused_by(&contact), target.address());
        assert_eq!(found, (is_refused, address), "{arguments:?} {contact}");
    }

    #[test]
    fn a_contact_is_reached_by_a_channel_that_it_does_not_refuse() {
        let of_channel = json!({"dnd": false, "dndSettings": {"SMS": {"status": "active"}, "Email": {"status": "inactive"}}});
        let sms = json!({"type": "SMS"});
        check(json!({}), json!({"dnd": true}), true, None);
        check(sms.clone(), json!({"dnd": false}), false, Some("phone"));
        check(
            json!({"type": "sms"}),
            of_channel.clone(),
            true,
            Some("phone"),
        );
        check(
            json!({"type": "Email"}),
            of_channel.clone(),
            false,
            Some("email"),
        );
        check(json!({}), of_channel, false, None);
        check(sms, json!({}), false, Some("phone"));
        let addressed = json!({"type": "SMS", "toNumber": "+15035550199"});
        check(addressed, json!({}), false, None);
        check(json!({"type": "Live_Chat"}), json!({}), false, None);
    }

    #[test]
    fn reads_and_other_writes_are_no_messages() {
        for name in ["contacts_add-tags", "contacts_get-contact"] {
            let tool = TOOLS.iter().find(|tool| tool.name == name).expect(name);
            assert!(MessageTarget::new(tool, &Map::new()).is_none(), "{name}");
        }
    }
}
