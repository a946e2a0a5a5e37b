//! Where a message to a contact goes, and whether the contact can get it there.

use serde_json::{Map, Value};

use tool::{Effect, Tool};

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

/// Whether the contact asked not to be disturbed by any channel.
pub(super) fn refuses_all(contact: &Value) -> bool {
    contact.get("dnd") == Some(&Value::Bool(true))
}

/// Whether a contact's field holds no address.
pub(super) fn is_empty(address: &Value) -> bool {
    address.is_null() || address.as_str().is_some_and(|text| text.trim().is_empty())
}
