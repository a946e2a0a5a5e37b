//! Where the sandbox does not hold a request or an answer to the documents, because a repair says that they are wrong.

use serde_json::Value;

/// One place of one document that reads differently.
pub struct Exception {
    pub document: &'static str,
    /// JSON pointer into the document; the place must exist.
    pub place: &'static str,
    /// JSON text that stands there instead.
    pub instead: &'static str,
    /// The repair in `openapi/repairs/` that gives the evidence.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test looks the repair up"))]
    pub repair: &'static str,
}

pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        document: "conversations",
        place: "/components/schemas/SendMessageBodyDto/required",
        instead: r#"["type", "contactId"]"#,
        repair: "$.components.schemas.SendMessageBodyDto.required",
    },
    Exception {
        document: "conversations",
        place: "/components/schemas/GetMessagesByConversationResponseDto",
        instead: r##"{"type": "object", "required": ["messages"], "properties": {"messages": {
            "type": "object", "required": ["lastMessageId", "nextPage", "messages"], "properties": {
            "lastMessageId": {"type": "string"}, "nextPage": {"type": "boolean"},
            "messages": {"type": "array", "items": {"$ref": "#/components/schemas/GetMessageResponseDto"}}}}}}"##,
        repair: "$.components.schemas.GetMessagesByConversationResponseDto",
    },
    Exception {
        document: "conversations",
        place: "/paths/~1conversations~1{conversationId}~1messages/get/parameters/*type",
        instead: r#"{"name": "type", "in": "query", "schema": {"type": "string"}}"#,
        repair: "$.paths['/conversations/{conversationId}/messages'].get.parameters",
    },
    Exception {
        document: "conversations",
        place: "/paths/~1conversations~1search/get/parameters/*startAfterDate",
        instead: r#"{"name": "startAfterDate", "in": "query", "schema": {"type": "number"}}"#,
        repair: "$.paths['/conversations/search'].get.parameters",
    },
    Exception {
        document: "opportunities",
        place: "/components/schemas/PipelinesResponseSchema/properties/stages/items",
        instead: r#"{"type": "object"}"#,
        repair: "$.components.schemas.PipelinesResponseSchema.properties.stages.items",
    },
    Exception {
        document: "locations",
        place: "/components/schemas/LocationTaskListSuccessfulResponseDto/properties/tasks/items",
        instead: r#"{"type": "object"}"#,
        repair: "$.components.schemas.LocationTaskListSuccessfulResponseDto.properties.tasks.items",
    },
    Exception {
        document: "payments",
        place: "/paths/~1payments~1orders~1{orderId}/get/parameters/-",
        instead: r#"{"name": "altType", "in": "query", "required": true, "schema": {"type": "string", "enum": ["location"]}}"#,
        repair: "$.paths['/payments/orders/{orderId}'].get",
    },
];

impl Exception {
    /// Puts it into `document`; false where the place is gone. `-` at the end appends to a list, `*name`
    /// is the member of a list with that name.
    pub fn apply(&self, document: &mut Value) -> bool {
        let Ok(instead) = serde_json::from_str(self.instead) else {
            return false;
        };
        let Some((holder, last)) = self.place.rsplit_once('/') else {
            return false;
        };
        let place = match (document.pointer_mut(holder), last) {
            (Some(Value::Array(list)), "-") => {
                list.push(Value::Null);
                list.last_mut()
            }
            (Some(Value::Array(list)), name) => {
                let name = name.trim_start_matches('*');
                list.iter_mut().find(|member| member["name"] == name)
            }
            (Some(Value::Object(members)), name) => members.get_mut(name),
            _ => None,
        };
        place.map(|place| *place = instead).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exception_applies_and_names_a_repair() {
        for exception in EXCEPTIONS {
            let root = env!("CARGO_MANIFEST_DIR");
            let stem = exception.document;
            let path = format!("{root}/openapi/highlevel/{stem}.json");
            let text = std::fs::read_to_string(path).expect("the document");
            let mut document: Value = serde_json::from_str(&text).expect("JSON");
            let before = document.clone();
            assert!(
                exception.apply(&mut document),
                "{} is gone",
                exception.place
            );
            assert_ne!(before, document, "{} changes nothing", exception.place);
            let path = format!("{root}/openapi/repairs/{stem}.yaml");
            let repairs = std::fs::read_to_string(path).expect("the repairs");
            assert!(
                repairs.contains(exception.repair),
                "no repair says {}",
                exception.repair
            );
        }
    }
}
