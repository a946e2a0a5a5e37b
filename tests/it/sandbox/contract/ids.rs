//! Ids of records in the sandbox, for every name in a path or a body.

use std::collections::BTreeMap;

use ::sandbox::{COMPANY, LOCATION, TOKEN};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, answer, list, ok, text};
use test_support::server::client;

/// Ids of records in a sandbox, by their names in paths and bodies.
pub(super) struct Ids {
    pub(super) url: String,
    pub(super) known: BTreeMap<&'static str, String>,
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
        let blogs = get(&format!(
            "/blogs/site/all?locationId={LOCATION}&skip=0&limit=1"
        ))
        .await;
        let blog = id(&blogs, "/data/0/_id");
        let posts = format!("locationId={LOCATION}&blogId={blog}&limit=1&offset=0");
        let posts = get(&format!("/blogs/posts/all?{posts}")).await;
        let links = get(&format!("/links/?locationId={LOCATION}")).await;
        let files = format!("{account}&type=file&sortBy=name&sortOrder=asc");
        let files = get(&format!("/medias/files?{files}")).await;
        let workflows = get(&format!("/workflows/?locationId={LOCATION}")).await;
        let campaigns = get(&format!("/campaigns/?locationId={LOCATION}")).await;
        let accounts = get(&format!("/social-media-posting/{LOCATION}/accounts")).await;
        let socials = json!({
            "skip": "0", "limit": "1", "fromDate": "2020-01-01", "toDate": "2040-01-01", "includeUsers": "false",
        });
        let socials = ok(
            sandbox,
            &format!("POST /social-media-posting/{LOCATION}/posts/list"),
            Some(socials),
        )
        .await;
        let mut all = list(&all, "/conversations").iter();
        let mails = all.find(|one| one["lastMessageType"] == "TYPE_EMAIL");
        let mails = id(mails.expect("a conversation by email"), "/id");
        let mails = get(&format!("/conversations/{mails}/messages")).await;
        let known = BTreeMap::from([
            ("blog", blog),
            ("blogPost", id(&posts, "/blogs/0/_id")),
            ("link", id(&links, "/links/0/id")),
            ("media", id(&files, "/files/0/_id")),
            ("workflow", id(&workflows, "/workflows/0/id")),
            ("campaign", id(&campaigns, "/campaigns/0/id")),
            ("socialAccount", id(&accounts, "/results/accounts/0/id")),
            ("socialPost", id(&socials, "/results/posts/0/_id")),
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

    /// The id for `name` in a path.
    pub(super) fn of_path(&self, path: &str, name: &str) -> String {
        let record = match (name, path) {
            ("locationId" | "location_id" | "altId", _) => return LOCATION.to_owned(),
            ("companyId", _) => return COMPANY.to_owned(),
            // The first contact already has a conversation.
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
            ("blogId", _) => "blog",
            ("postId", "/blogs/posts/{postId}") => "blogPost",
            ("linkId", _) => "link",
            ("workflowId", path) if path.starts_with("/contacts/") => "workflow",
            ("campaignId", path) if path.starts_with("/contacts/") => "campaign",
            ("id", "/medias/{id}") => "media",
            ("id", "/social-media-posting/{locationId}/accounts/{id}") => "socialAccount",
            ("id", "/social-media-posting/{locationId}/posts/{id}") => "socialPost",
            ("email", _) => return "someone@example.org".to_owned(),
            ("fromDate" | "toDate", _) => return "2031-05-05".to_owned(),
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

    /// Creates the records that the operation of `path` needs and no seed has: a scheduled message, a blocked time.
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
}
