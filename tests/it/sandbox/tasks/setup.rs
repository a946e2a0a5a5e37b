//! The set-up of a location: fields, calendars, users, files, posts and new sub-accounts.

use super::*;

pub(super) const JOBS: [Job; 7] = [
    Job {
        name: "a dropdown field: made, set, read",
        calls: 5,
        bytes: 3_000,
        run: |desk| Box::pin(dropdown(desk)),
    },
    Job {
        name: "upload a file",
        calls: 3,
        bytes: 2_000,
        run: |desk| Box::pin(upload(desk)),
    },
    Job {
        name: "schedule a social post",
        calls: 4,
        bytes: 4_000,
        run: |desk| Box::pin(social_post(desk)),
    },
    Job {
        name: "a blog draft",
        calls: 6,
        bytes: 5_000,
        run: |desk| Box::pin(blog_draft(desk)),
    },
    Job {
        name: "a new sub-account",
        calls: 4,
        bytes: 4_000,
        run: |desk| Box::pin(sub_account(desk)),
    },
    Job {
        name: "hours of a calendar",
        calls: 3,
        bytes: 2_500,
        run: |desk| Box::pin(calendar_hours(desk)),
    },
    Job {
        name: "list users, ask for a new one",
        calls: 3,
        bytes: 4_000,
        run: |desk| Box::pin(users(desk)),
    },
];

async fn dropdown(desk: &mut Desk) {
    desk.search(&["create custom field"]).await;
    let field = json!({"name": "Preferred day", "dataType": "SINGLE_OPTIONS", "options": ["Monday", "Friday"], "model": "contact"});
    let made = desk.write("locations_create-custom-field", field).await;
    let field = text(&made, "/customField/id").to_owned();
    let id = people::find(desk, "Ada").await;
    let values = json!([{"id": field, "field_value": "Friday"}]);
    let set = desk
        .write(
            "contacts_update-contact",
            json!({"contactId": id, "customFields": values}),
        )
        .await;
    assert!(set.to_string().contains("Friday"), "{set}");
    let read = desk
        .read(
            "contacts_get-contact",
            json!({"contactId": id}),
            json!({"fields": ["contact.customFields"]}),
        )
        .await;
    assert!(read.to_string().contains("Friday"), "{read}");
}

async fn upload(desk: &mut Desk) {
    desk.search(&["upload file to media library"]).await;
    let made = desk
        .write(
            "medias_upload-media-content",
            json!({"name": "hello.txt", "file": "SGVsbG8gd29ybGQK"}),
        )
        .await;
    text(&made, "/fileId");
    let output = json!({"fields": ["name", "url"], "filter": [{"field": "name", "op": "=", "value": "hello.txt"}]});
    let files = desk
        .read(
            "medias_fetch-media-content",
            json!({"type": "file", "sortBy": "createdAt", "sortOrder": "desc"}),
            output,
        )
        .await;
    assert_eq!(files["files"][0]["name"], "hello.txt", "{files}");
}

async fn social_post(desk: &mut Desk) {
    desk.search(&[
        "create social media post",
        "list social media accounts",
        "list users of the location",
    ])
    .await;
    let accounts = desk
        .read("social-media-posting_get-account", json!({}), json!({}))
        .await;
    let account = text(&accounts, "/accounts/rows/0/0").to_owned();
    let users = desk
        .read(
            "users_get-user-by-location",
            json!({}),
            json!({"fields": ["id"], "maxItems": 1}),
        )
        .await;
    let post = json!({
        "userId": text(&users, "/users/0/id"), "accountIds": [account], "summary": "Book your winter check-up.",
        "status": "scheduled", "type": "post", "scheduleDate": "2030-01-04T10:00",
    });
    let made = desk.send("social-media-posting_create-post", post).await;
    // Ten in the morning in the location's time zone, in winter.
    assert!(made.to_string().contains("2030-01-04T18:00"), "{made}");
}

async fn blog_draft(desk: &mut Desk) {
    desk.search(&[
        "create blog post",
        "list blogs",
        "list blog authors",
        "list blog categories",
    ])
    .await;
    let page = json!({"limit": 1, "offset": 0});
    let blogs = desk
        .read(
            "blogs_get-blogs",
            json!({"limit": 1, "skip": 0}),
            json!({"fields": ["_id"]}),
        )
        .await;
    let authors = desk
        .read(
            "blogs_get-all-blog-authors-by-location",
            page.clone(),
            json!({"fields": ["_id"]}),
        )
        .await;
    let categories = desk
        .read(
            "blogs_get-all-categories-by-location",
            page,
            json!({"fields": ["_id"]}),
        )
        .await;
    let post = json!({
        "title": "Winter care tips", "status": "DRAFT", "description": "Three tips.", "blogId": text(&blogs, "/data/0/_id"),
        "author": text(&authors, "/authors/0/_id"), "categories": [text(&categories, "/categories/0/_id")],
        "imageUrl": "https://example.com/winter.jpg", "imageAltText": "Winter", "rawHTML": "<p>Brush.</p>",
        "urlSlug": "winter-care-tips", "publishedAt": "2030-01-04T10:00",
    });
    let made = desk.send("blogs_create-blog-post", post).await;
    assert!(made.to_string().contains("DRAFT"), "{made}");
}

/// A connection of one location creates no sub-account, and is told so before anybody is asked.
async fn sub_account(desk: &mut Desk) {
    desk.search(&["create sub-account"]).await;
    let call = json!({"operation": "locations_create-location", "arguments": {"name": "Test Spa", "companyId": "comBrightside0000001"}});
    let refused = desk.ask("call_destructive", call).await;
    assert_eq!(refused["class"], "token_class", "{refused}");
    desk.errors.clear();
}

async fn calendar_hours(desk: &mut Desk) {
    let call = json!({"operations": ["calendars_update-calendar"], "detail": "schema", "path": "openHours"});
    let told = desk.ask("search_operations", call).await;
    assert!(
        told.to_string().contains("daysOfTheWeek") && told.to_string().contains("closeMinute"),
        "{told}"
    );
    let calendars = desk
        .read(
            "calendars_get-calendars",
            json!({}),
            json!({"fields": ["id"]}),
        )
        .await;
    let hours = json!([{"daysOfTheWeek": [1, 2, 3, 4, 5], "hours": [{"openHour": 10, "openMinute": 0, "closeHour": 16, "closeMinute": 0}]}]);
    let set = desk
        .write(
            "calendars_update-calendar",
            json!({"calendarId": text(&calendars, "/calendars/0/id"), "openHours": hours}),
        )
        .await;
    assert!(set.to_string().contains("16"), "{set}");
}

/// A login is never created without a person's decision, and nobody is shown the password.
async fn users(desk: &mut Desk) {
    desk.search(&["list users of the location", "create user"])
        .await;
    desk.read(
        "users_get-user-by-location",
        json!({}),
        json!({"fields": ["id", "name", "email"]}),
    )
    .await;
    let user = json!({
        "companyId": "comBrightside0000001", "firstName": "Nina", "lastName": "Test", "email": "nina@example.com",
        "type": "account", "role": "user", "password": "Str0ng!Pass2026", "locationIds": ["locHarborDental00001"],
    });
    let asked = desk
        .ask(
            "call_destructive",
            json!({"operation": "users_create-user", "arguments": user}),
        )
        .await;
    assert_eq!(asked["status"], "needs_confirmation", "{asked}");
    assert!(!asked.to_string().contains("Str0ng"), "{asked}");
}
