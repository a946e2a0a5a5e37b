//! The calls that are counted together, and the windows that are kept.

use super::*;
use crate::upstream::errors::TokenVerdict;
use crate::upstream::standing::Standings;

/// The windows of a process, and the facts that decide where a call is counted.
struct Process {
    limits: Limits,
    standings: Standings,
}

impl Process {
    fn new() -> Self {
        Self {
            limits: Limits::new(&settings()).expect("limits"),
            standings: Standings::new(Duration::from_secs(3)),
        }
    }

    /// The account for a call of `credential` that names `location`.
    fn account(&self, credential: &Credential, location: Option<&TenantId>) -> RateLimitAccount {
        let digest = self.limits.digest(credential);
        let proven = location.filter(|location| self.standings.is_proven(&digest, location));
        let counted = match proven {
            Some(location) => CountedUnder::Location(location.clone()),
            None => CountedUnder::Credential(digest),
        };
        let standing = self.standings.standing(&digest);
        self.limits.account(credential, digest, &counted, standing)
    }

    /// HighLevel accepts the account's token for `location`.
    fn prove(&self, account: &RateLimitAccount, location: &TenantId) {
        self.standings
            .record(account.digest, TokenVerdict::Accepted);
        if self.standings.prove(account.digest, location) {
            self.limits.join(account, location);
        }
    }
}

fn same(one: &RateLimitAccount, other: &RateLimitAccount) -> bool {
    Arc::ptr_eq(&one.scope, &other.scope)
}

#[tokio::test(start_paused = true)]
async fn a_token_joins_a_location_only_when_it_has_proved_it() {
    let process = Process::new();
    let location = TenantId::parse("L0").expect("an id");
    let own = |token: &str| process.account(&credential(token), Some(&location));
    assert!(!same(&own("pit-a"), &own("pit-b")), "nothing is proved");
    // A token that is not let in uses up only its own window.
    for _ in 0..95 {
        drop(
            admitted(&own("pit-stranger").scope.gate, 1)
                .await
                .expect("a place"),
        );
    }
    assert!(admitted(&own("pit-stranger").scope.gate, 1).await.is_err());
    assert!(admitted(&own("pit-a").scope.gate, 1).await.is_ok());
    for token in ["pit-a", "pit-b"] {
        process.prove(&own(token), &location);
    }
    assert!(same(&own("pit-a"), &own("pit-b")));
    let elsewhere = TenantId::parse("L1");
    let other = process.account(&credential("pit-a"), elsewhere.as_ref());
    assert!(
        !same(&own("pit-a"), &other),
        "another location is not proved"
    );
    let nowhere = process.account(&credential("pit-a"), None);
    assert!(!same(&own("pit-a"), &nowhere));
    process
        .standings
        .record(own("pit-b").digest, TokenVerdict::Unknown);
    assert!(!same(&own("pit-a"), &own("pit-b")));
}

#[tokio::test(start_paused = true)]
async fn a_token_keeps_its_window_when_it_is_accepted() {
    let process = Process::new();
    let own = || process.account(&credential("pit-a"), None);
    for _ in 0..95 {
        drop(admitted(&own().scope.gate, 1).await.expect("a place"));
    }
    process
        .standings
        .record(own().digest, TokenVerdict::Accepted);
    assert!(admitted(&own().scope.gate, 1).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn calls_from_before_the_proof_count() {
    let process = Process::new();
    let location = TenantId::parse("L0").expect("an id");
    let before = process.account(&credential("pit-a"), Some(&location));
    let under_way = admitted(&before.scope.gate, 1).await.expect("a place");
    for _ in 1..95 {
        admitted(&before.scope.gate, 1)
            .await
            .expect("a place")
            .end(answered_with(50, 100));
    }
    process.prove(&before, &location);
    let after = process.account(&credential("pit-a"), Some(&location));
    assert!(admitted(&after.scope.gate, 1).await.is_err());
    drop(under_way);
}

#[tokio::test(start_paused = true)]
async fn one_app_does_not_count_for_another() {
    let process = Process::new();
    let location = TenantId::parse("L0").expect("an id");
    let token = |claims: &str| {
        use base64::Engine;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
        credential(&format!("e30.{claims}.x"))
    };
    let proved = |credential: &Credential| {
        process.prove(&process.account(credential, Some(&location)), &location);
        process.account(credential, Some(&location)).scope
    };
    let pit = proved(&credential("pit-a"));
    let one = proved(&token(r#"{"sourceId": "app-1", "exp": 1}"#));
    let again = proved(&token(r#"{"sourceId": "app-1", "exp": 2}"#));
    let other = proved(&token(r#"{"sourceId": "app-2"}"#));
    let silent = proved(&token("{}"));
    assert!(Arc::ptr_eq(&one, &again));
    for (left, right) in [
        (&pit, &one),
        (&one, &other),
        (&other, &silent),
        (&pit, &silent),
    ] {
        assert!(!Arc::ptr_eq(left, right));
    }
}

#[tokio::test(start_paused = true)]
async fn made_up_tokens_are_forgotten_and_push_no_other_window_out() {
    let process = Process::new();
    let location = TenantId::parse("L0").expect("an id");
    let own = || process.account(&credential("pit-a"), Some(&location));
    process.prove(&own(), &location);
    for _ in 0..95 {
        drop(admitted(&own().scope.gate, 1).await.expect("a place"));
    }
    let accepted = process.account(&credential("pit-a"), None);
    drop(admitted(&accepted.scope.gate, 1).await.expect("a place"));
    let (window, token) = (own().scope, accepted.scope.clone());
    drop(accepted);
    for number in 0..3 * MOST_NEW {
        let stranger = credential(&format!("pit-{number}"));
        let account = process.account(&stranger, Some(&location));
        drop(admitted(&account.scope.gate, 1).await.expect("a place"));
    }
    let kept = {
        let book = process.limits.book.lock().expect("the lock");
        (book.locations.len(), book.credentials.len(), book.new.len())
    };
    assert_eq!(kept, (1, 1, MOST_NEW));
    assert!(Arc::ptr_eq(&own().scope, &window));
    let accepted = process.account(&credential("pit-a"), None);
    assert!(Arc::ptr_eq(&accepted.scope, &token));
    assert!(admitted(&own().scope.gate, 1).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn idle_windows_are_forgotten_and_those_with_calls_are_not() {
    let process = Process::new();
    let location = |number: usize| TenantId::parse(&format!("L{number}")).expect("an id");
    let own = credential("pit-a");
    for number in 0..1000 {
        let location = location(number);
        process.prove(&process.account(&own, Some(&location)), &location);
        let account = process.account(&own, Some(&location));
        drop(admitted(&account.scope.gate, 1).await.expect("a place"));
    }
    let busy = process.account(&own, Some(&location(0)));
    let _under_way = admitted(&busy.scope.gate, 1).await.expect("a place");
    let sizes = || {
        let book = process.limits.book.lock().expect("the lock");
        (book.locations.len(), book.credentials.len())
    };
    assert_eq!(sizes(), (1000, 1));
    advance(LOCATION_IDLE).await;
    for _ in 0..1000 {
        drop(process.account(&own, Some(&location(1))));
    }
    assert_eq!(sizes().0, 2);
    assert!(same(&busy, &process.account(&own, Some(&location(0)))));
}
