//! Places where the sandbox does not follow the documents, because a repair shows that they are wrong.

use serde_json::Value;

/// One corrected place of one document.
pub(crate) struct Exception {
    pub document: &'static str,
    /// JSON pointer into the document; the place must exist.
    pub place: &'static str,
    /// JSON text that replaces it.
    pub instead: &'static str,
    /// The repair in `openapi/repairs/`, or the table in `openapi/tools/`, that gives the evidence.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test looks the repair up"))]
    pub repair: &'static str,
}

pub(crate) const EXCEPTIONS: &[Exception] = &[
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
        repair: "[get-messages.arguments.type]",
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
        place: "/paths/~1payments~1coupon/get/parameters/*id",
        instead: r#"{"name": "id", "in": "query", "schema": {"type": "string"}}"#,
        repair: "$.paths['/payments/coupon'].get.parameters",
    },
    Exception {
        document: "payments",
        place: "/paths/~1payments~1coupon/get/parameters/*code",
        instead: r#"{"name": "code", "in": "query", "schema": {"type": "string"}}"#,
        repair: "$.paths['/payments/coupon'].get.parameters",
    },
    Exception {
        document: "payments",
        place: "/paths/~1payments~1orders~1{orderId}/get/parameters/-",
        instead: r#"{"name": "altType", "in": "query", "required": true, "schema": {"type": "string", "enum": ["location"]}}"#,
        repair: "$.paths['/payments/orders/{orderId}'].get",
    },
    Exception {
        document: "blogs",
        place: "/components/schemas/UpdateBlogPostParams/properties/+wordCount",
        instead: r#"{"type": "integer"}"#,
        repair: "$.components.schemas.UpdateBlogPostParams.properties",
    },
    Exception {
        document: "calendars",
        place: "/components/schemas/BlockSlotCreateRequestDTO/required",
        instead: r#"["locationId"]"#,
        repair: "['BlockSlotCreateRequestDTO', 'BlockSlotEditRequestDTO'].required",
    },
    Exception {
        document: "calendars",
        place: "/components/schemas/BlockSlotEditRequestDTO/required",
        instead: r#"["locationId"]"#,
        repair: "['BlockSlotCreateRequestDTO', 'BlockSlotEditRequestDTO'].required",
    },
    Exception {
        document: "emails",
        place: "/components/schemas/CreateBuilderDto/required",
        instead: r#"["locationId", "type"]"#,
        repair: "$.components.schemas.CreateBuilderDto.required",
    },
    Exception {
        document: "emails",
        place: "/components/schemas/SaveBuilderDataDto/required",
        instead: r#"["locationId", "templateId", "updatedBy", "html", "editorType"]"#,
        repair: "$.components.schemas.SaveBuilderDataDto.required",
    },
    Exception {
        document: "invoices",
        place: "/components/schemas/RecordPaymentDto/required",
        instead: r#"["altId", "altType", "mode", "notes"]"#,
        repair: "$.components.schemas.RecordPaymentDto.required",
    },
    Exception {
        document: "locations",
        place: "/components/schemas/CreateCustomFieldsDTO/properties/+parentId",
        instead: r#"{"type": "string"}"#,
        repair: "$.components.schemas.CreateCustomFieldsDTO.properties",
    },
    Exception {
        document: "locations",
        place: "/components/schemas/CreateCustomFieldsDTO/properties/+fieldKey",
        instead: r#"{"type": "string"}"#,
        repair: "$.components.schemas.CreateCustomFieldsDTO.properties",
    },
    Exception {
        document: "locations",
        place: "/components/schemas/CreateCustomFieldsDTO/properties/+description",
        instead: r#"{"type": "string"}"#,
        repair: "$.components.schemas.CreateCustomFieldsDTO.properties",
    },
    Exception {
        document: "locations",
        place: "/components/schemas/CreateCustomFieldsDTO/properties/+options",
        instead: r#"{"type": "array", "items": {"type": "string"}}"#,
        repair: "$.components.schemas.CreateCustomFieldsDTO.properties",
    },
    Exception {
        document: "locations",
        place: "/paths/~1locations~1{locationId}~1templates/get/parameters/*originId",
        instead: r#"{"name": "originId", "in": "query", "schema": {"type": "string"}}"#,
        repair: "parameters[?@.name == 'originId']",
    },
    Exception {
        document: "opportunities",
        place: "/components/schemas/UpsertOpportunityDto/properties/+contactId",
        instead: r#"{"type": "string"}"#,
        repair: "$.components.schemas.UpsertOpportunityDto.properties",
    },
    Exception {
        document: "opportunities",
        place: "/components/schemas/OpportunitySearchBodyDTO/properties/+filters",
        instead: r#"{"type": "array", "items": {"type": "object"}}"#,
        repair: "$.components.schemas.OpportunitySearchBodyDTO",
    },
    Exception {
        document: "opportunities",
        place: "/components/schemas/OpportunitySearchBodyDTO/properties/+sort",
        instead: r#"{"type": "array", "items": {"type": "object"}}"#,
        repair: "$.components.schemas.OpportunitySearchBodyDTO",
    },
    Exception {
        document: "opportunities",
        place: "/components/schemas/OpportunitySearchBodyDTO/properties/searchAfter/items",
        instead: "{}",
        repair: "$.components.schemas.OpportunitySearchBodyDTO.properties.searchAfter.items.type",
    },
    Exception {
        document: "objects",
        place: "/components/schemas/SearchRecordsBody/properties/searchAfter/items",
        instead: "{}",
        repair: "$.components.schemas.SearchRecordsBody.properties.searchAfter.items.type",
    },
    Exception {
        document: "opportunities",
        place: "/components/schemas/OpportunitySearchBodyDTO/required",
        instead: r#"["locationId", "limit"]"#,
        repair: "$.components.schemas.OpportunitySearchBodyDTO.required",
    },
    Exception {
        document: "products",
        place: "/components/schemas/UpdateDisplayPriorityBodyDto/properties/products/items",
        instead: r#"{"type": "object"}"#,
        repair: "$.components.schemas.UpdateDisplayPriorityBodyDto.properties.products",
    },
    Exception {
        document: "saas-api",
        place: "/paths/~1saas~1locations/get/parameters/*customerId",
        instead: r#"{"name": "customerId", "in": "query", "schema": {"type": "string"}}"#,
        repair: "$.paths['/saas/locations'].get.parameters",
    },
    Exception {
        document: "saas-api",
        place: "/paths/~1saas~1locations/get/parameters/*subscriptionId",
        instead: r#"{"name": "subscriptionId", "in": "query", "schema": {"type": "string"}}"#,
        repair: "$.paths['/saas/locations'].get.parameters",
    },
    Exception {
        document: "snapshots",
        place: "/paths/~1snapshots~1snapshot-status~1{snapshotId}/get/parameters/*lastDoc",
        instead: r#"{"name": "lastDoc", "in": "query", "schema": {"type": "string"}}"#,
        repair: "parameters[?@.name == 'lastDoc']",
    },
];

impl Exception {
    /// Applies the correction to `document`; false if the place does not exist. `-` at the end appends to a list,
    /// `*name` is the member of a list with that name, `+name` a new member of an object.
    pub(crate) fn apply(&self, document: &mut Value) -> bool {
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
            (Some(Value::Object(members)), name) => match name.strip_prefix('+') {
                Some(new) => Some(members.entry(new).or_insert(Value::Null)),
                None => members.get_mut(name),
            },
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
            let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
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
            let says = |path: &str| {
                let text = std::fs::read_to_string(format!("{root}/openapi/{path}"));
                text.expect("a file").contains(exception.repair)
            };
            assert!(
                says(&format!("repairs/{stem}.yaml")) || says(&format!("tools/{stem}.toml")),
                "no repair says {}",
                exception.repair
            );
        }
    }
}
