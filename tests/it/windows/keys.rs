//! The content of the Valkey: digests, for as long as they are useful, and counts that hold for all.

use super::*;
use test_support::server::TOKEN;

/// Key, kind, remaining lifetime in milliseconds, and value.
type Entry = (String, i64, Vec<String>);

fn entries(url: &str) -> Vec<Entry> {
    let client = redis::Client::open(url).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*")
        .query(&mut connection)
        .expect("keys");
    let entry = |key: String| {
        let lives = redis::cmd("PTTL").arg(&key).query(&mut connection);
        let holds = match key.ends_with(":places") {
            true => redis::cmd("ZRANGE")
                .arg(&key)
                .arg(0)
                .arg(-1)
                .query(&mut connection),
            false => redis::cmd("HGETALL").arg(&key).query(&mut connection),
        };
        (key, lives.expect("a time"), holds.expect("texts"))
    };
    keys.into_iter().map(entry).collect()
}

#[tokio::test]
async fn it_holds_no_token_and_nothing_for_ever() {
    let Some(valkey) = TestService::start(ServiceKind::Valkey) else {
        return;
    };
    let fleet = Fleet::start(valkey.url()).await;
    fleet.wait_for_valkey(true).await;
    fleet.load(&[0, 1, 2], INTERVAL / 2).await;
    let url = valkey.url().to_owned();
    let entries = tokio::task::spawn_blocking(move || entries(&url));
    let entries = entries.await.expect("entries");
    let windows = entries.iter().filter(|(key, ..)| !key.contains("{probe}"));
    assert!(windows.count() >= 2, "{entries:?}");
    for (key, lives, holds) in entries {
        assert!(key.starts_with("highlevel-mcp:127.0.0.1:"), "{key}");
        assert!(lives > 0 && lives <= 86_410_000, "{key}: {lives} ms");
        for text in holds.iter().chain([&key]) {
            assert!(!text.contains(TOKEN), "{key}: {text}");
            assert!(!text.contains("pit-"), "{key}: {text}");
        }
    }
}
