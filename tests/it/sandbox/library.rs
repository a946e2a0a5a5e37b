//! New records appear in the lists: files, blog posts, social posts, links, campaigns, users, locations.

use ::sandbox::{COMPANY, LOCATION, SandboxOptions, TOKEN};
use serde_json::{Value, json};

use super::{Sandbox, answer, list, ok, refused, text};
use test_support::server::client;

const AGENCY: &str = "pit-sandbox-agency";

/// One member of each row.
fn column<'v>(found: &'v Value, pointer: &str, name: &str) -> Vec<&'v Value> {
    list(found, pointer).iter().map(|row| &row[name]).collect()
}

#[tokio::test]
async fn files_and_folders_are_listed_renamed_and_deleted() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let account = json!({"altId": LOCATION, "altType": "location"});
    let files = async |more: &str| {
        let account = format!("altId={LOCATION}&altType=location&sortBy=name&sortOrder=asc");
        ok(
            &sandbox,
            &format!("GET /medias/files?{account}&{more}"),
            None,
        )
        .await
    };
    assert_eq!(
        column(&files("type=file").await, "/files", "name"),
        [&json!("price-list.pdf")]
    );
    let mut folder = account.clone();
    folder["name"] = json!("Photos");
    let folder = ok(&sandbox, "POST /medias/folder", Some(folder)).await;
    let folder = text(&folder, "/_id");

    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"team.png\"\r\nContent-Type: image/png\r\n\r\nPNG\r\n";
    let upload = async |parts: String| {
        let request = client()
            .post(format!("{}/medias/upload-file", sandbox.url))
            .header("version", "2021-07-28")
            .header("content-type", "multipart/form-data; boundary=b")
            .bearer_auth(TOKEN)
            .body(format!("{parts}--b--\r\n"));
        let (status, _, made) = answer(request).await;
        (status, made)
    };
    let (status, team) = upload(format!("{}{file}", part("parentId", folder))).await;
    assert_eq!(status, 200, "{team}");
    let inside = files(&format!("type=file&parentId={folder}")).await;
    let row = &inside["files"][0];
    assert_eq!(
        (&row["_id"], &row["name"]),
        (&team["fileId"], &json!("team.png"))
    );
    assert_eq!(
        (&row["url"], &row["contentType"]),
        (&team["url"], &json!("image/png"))
    );
    assert_eq!(row["size"], 3);
    let link = "https://example.com/pictures/office%20front.jpg?v=2";
    let hosted = format!(
        "{}{}{}",
        part("hosted", "true"),
        part("fileUrl", link),
        part("name", "Front")
    );
    let (_, front) = upload(hosted).await;
    assert_eq!(
        column(&files("type=file").await, "/files", "name"),
        [&json!("Front"), &json!("price-list.pdf")]
    );
    assert_eq!(upload(part("hosted", "true")).await.0, 400);

    let mut rename = account.clone();
    rename["filesToBeUpdated"] = json!([{"id": front["fileId"], "name": "Office"}]);
    ok(&sandbox, "PUT /medias/update-files", Some(rename)).await;
    let found = files("type=file&query=office").await;
    assert_eq!(column(&found, "/files", "_id"), [&front["fileId"]]);
    let gone = format!("DELETE /medias/{folder}?altId={LOCATION}&altType=location");
    ok(&sandbox, &gone, None).await;
    assert!(list(&files("type=file&query=team").await, "/files").is_empty());
}

#[tokio::test]
async fn a_blog_post_is_listed_and_takes_its_address() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let here = format!("locationId={LOCATION}&limit=20");
    let blogs = ok(
        &sandbox,
        &format!("GET /blogs/site/all?{here}&skip=0"),
        None,
    )
    .await;
    let blog = text(&blogs, "/data/0/_id");
    let author = ok(
        &sandbox,
        &format!("GET /blogs/authors?{here}&offset=0"),
        None,
    )
    .await;
    let category = ok(
        &sandbox,
        &format!("GET /blogs/categories?{here}&offset=0"),
        None,
    )
    .await;
    let post = |status: &str, slug: &str| {
        json!({
            "title": "Teeth and tea", "locationId": LOCATION, "blogId": blog, "imageUrl": "https://example.com/a.png",
            "description": "What tea does.", "rawHTML": "<p>Much.</p>", "status": status, "imageAltText": "tea",
            "categories": [text(&category, "/categories/0/_id")], "author": text(&author, "/authors/0/_id"),
            "urlSlug": slug, "publishedAt": "2031-01-01T00:00:00Z",
        })
    };
    let is_taken = async |slug: &str, own: &str| {
        let query = format!("locationId={LOCATION}&urlSlug={slug}&postId={own}");
        ok(
            &sandbox,
            &format!("GET /blogs/posts/url-slug-exists?{query}"),
            None,
        )
        .await["exists"]
            == true
    };
    assert!(!is_taken("tea", "").await);
    let made = ok(&sandbox, "POST /blogs/posts", Some(post("DRAFT", "tea"))).await;
    let id = text(&made, "/data/_id");
    assert!(is_taken("tea", "").await && !is_taken("tea", id).await);
    refused(&sandbox, "POST /blogs/posts", post("DRAFT", "tea")).await;
    let posts = async |status: &str| {
        let request = format!("GET /blogs/posts/all?{here}&offset=0&blogId={blog}&status={status}");
        ok(&sandbox, &request, None).await
    };
    assert_eq!(posts("DRAFT").await["blogs"][0]["_id"], *id);
    let update = format!("PUT /blogs/posts/{id}");
    // docs#105: archiving is answered with a 200 and has no effect.
    for (status, expected) in [("PUBLISHED", "PUBLISHED"), ("ARCHIVED", "PUBLISHED")] {
        let changed = ok(&sandbox, &update, Some(post(status, "tea"))).await;
        assert_eq!(changed["updatedBlogPost"]["status"], expected);
    }
    assert_eq!(posts("PUBLISHED").await["blogs"][0]["_id"], *id);
}

#[tokio::test]
async fn social_posts_are_planned_and_listed() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let here = format!("/social-media-posting/{LOCATION}");
    let accounts = ok(&sandbox, &format!("GET {here}/accounts"), None).await;
    let [facebook, tiktok] =
        [0, 2].map(|index| text(&accounts, &format!("/results/accounts/{index}/id")));
    let post = |account: &str, more: Value| {
        let mut body =
            json!({"accountIds": [account], "summary": "Hello", "type": "post", "userId": "u"});
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        body
    };
    let posts = format!("POST {here}/posts");
    let planned = json!({"status": "scheduled", "scheduleDate": "2031-05-05T09:00:00-07:00"});
    let made = ok(&sandbox, &posts, Some(post(facebook, planned))).await;
    let id = text(&made, "/results/post/_id");
    let listed = async |kind: &str| {
        let body = json!({
            "type": kind, "accounts": facebook, "skip": "0", "limit": "10", "fromDate": "2031-05-01",
            "toDate": "2031-05-31", "includeUsers": "false",
        });
        ok(&sandbox, &format!("POST {here}/posts/list"), Some(body)).await
    };
    let found = listed("scheduled").await;
    let row = &found["results"]["posts"][0];
    assert_eq!(
        (&row["_id"], &row["displayDate"]),
        (&json!(id), &json!("2031-05-05T16:00:00.000Z"))
    );
    assert_eq!(
        (&row["platform"], &row["status"]),
        (&json!("facebook"), &json!("scheduled"))
    );
    let later = json!({"scheduleDate": "2031-06-05T09:00:00Z", "status": "scheduled"});
    ok(
        &sandbox,
        &format!("PUT {here}/posts/{id}"),
        Some(post(facebook, later)),
    )
    .await;
    assert_eq!(listed("all").await["results"]["count"], 0);
    for wrong in [
        post("nowhere", json!({})),
        post(tiktok, json!({})),
        post(facebook, json!({"scheduleDate": "1935763200000"})),
    ] {
        refused(&sandbox, &posts, wrong).await;
    }
    let mut unknown =
        json!({"type": "in_progress", "skip": "0", "limit": "10", "includeUsers": "false"});
    unknown["fromDate"] = json!("2031-05-01");
    unknown["toDate"] = json!("2031-05-31");
    refused(&sandbox, &format!("POST {here}/posts/list"), unknown).await;
    ok(&sandbox, &format!("DELETE {here}/posts/{id}"), None).await;
    let gone = sandbox
        .send(&format!("GET {here}/posts/{id}"), TOKEN, None)
        .await;
    assert_eq!(gone.0, 400);
}

#[tokio::test]
async fn links_and_campaigns_are_listed() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let new = json!({"locationId": LOCATION, "name": "Price list", "redirectTo": "https://example.com/prices"});
    let made = ok(&sandbox, "POST /links/", Some(new)).await;
    let id = text(&made, "/link/id");
    assert_eq!(
        made["link"]["fieldKey"],
        format!("{{{{trigger_link.{id}}}}}")
    );
    let all = ok(
        &sandbox,
        &format!("GET /links/?locationId={LOCATION}"),
        None,
    )
    .await;
    assert_eq!(list(&all, "/links").last(), Some(&made["link"]));
    let search = format!("GET /links/search?locationId={LOCATION}&query=price");
    assert_eq!(
        column(&ok(&sandbox, &search, None).await, "/links", "id"),
        [&json!(id)]
    );

    let campaigns = format!("GET /campaigns/?locationId={LOCATION}&status=published");
    let campaigns = ok(&sandbox, &campaigns, None).await;
    assert_eq!(
        column(&campaigns, "/campaigns", "name"),
        [&json!("Spring check-up")]
    );
    let contacts = format!("GET /contacts/?locationId={LOCATION}&limit=1");
    let contact = ok(&sandbox, &contacts, None).await;
    let campaign = format!("/contacts/{}/campaigns", text(&contact, "/contacts/0/id"));
    let into = format!("POST {campaign}/{}", text(&campaigns, "/campaigns/0/id"));
    ok(&sandbox, &into, Some(json!({}))).await;
    refused(&sandbox, &format!("POST {campaign}/nowhere"), json!({})).await;
}

#[tokio::test]
async fn new_users_and_locations_are_in_their_lists() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let user = json!({
        "companyId": COMPANY, "firstName": "Nia", "lastName": "Moss", "email": "nia@example.org", "password": "Secret-123",
        "type": "account", "role": "user", "locationIds": [LOCATION],
    });
    let (status, _, made) = sandbox
        .send("POST /users/", TOKEN, Some(user.clone()))
        .await;
    assert_eq!((status, &made["name"]), (201, &json!("Nia Moss")), "{made}");
    assert!(!made.to_string().contains("Secret-123"), "{made}");
    let users = ok(
        &sandbox,
        &format!("GET /users/?locationId={LOCATION}"),
        None,
    )
    .await;
    let found = list(&users, "/users")
        .iter()
        .find(|one| one["id"] == made["id"]);
    assert_eq!(found.expect("the user")["roles"]["role"], "user");
    refused(&sandbox, "POST /users/", user).await;

    let location =
        json!({"companyId": COMPANY, "name": "Pier Yoga", "timezone": "America/Chicago"});
    let (status, _, made) = sandbox
        .send("POST /locations/", AGENCY, Some(location))
        .await;
    assert_eq!(status, 200, "{made}");
    let id = text(&made, "/id");
    let names = async || {
        let search = format!("GET /locations/search?companyId={COMPANY}&limit=100");
        let found = sandbox.send(&search, AGENCY, None).await.2;
        let names = column(&found, "/locations", "name").into_iter().cloned();
        names.collect::<Vec<_>>()
    };
    assert!(names().await.contains(&json!("Pier Yoga")));
    let shown = sandbox
        .send(&format!("GET /locations/{id}"), AGENCY, None)
        .await
        .2;
    assert_eq!(shown["location"]["timezone"], "America/Chicago");
    let delete = format!("DELETE /locations/{id}?deleteTwilioAccount=false");
    assert_eq!(sandbox.send(&delete, AGENCY, None).await.0, 200);
    assert!(!names().await.contains(&json!("Pier Yoga")));
}
