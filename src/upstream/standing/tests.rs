//! What strangers may try, and what they cannot affect.

use futures_util::FutureExt;
use tokio::time::advance;

use super::delay::DelayReason;
use super::tries::TRIES_A_MINUTE;
use super::*;

fn standings() -> Standings {
    Standings::new(Duration::from_secs(3))
}

fn digest(number: usize) -> Digest {
    let mut digest = Digest::default();
    digest[..8].copy_from_slice(&number.to_be_bytes());
    digest
}

fn newcomer(number: usize, address: &str) -> Newcomer {
    Newcomer {
        digest: digest(number),
        address: address.parse().ok(),
        known: false,
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

async fn attempt(standings: &Standings, newcomer: &Newcomer, verdict: TokenVerdict) -> bool {
    let Ok(seat) = standings.enter(newcomer, soon()).await else {
        return false;
    };
    standings.record(newcomer.digest, verdict);
    if let Some(seat) = seat {
        seat.end(verdict);
    }
    true
}

#[tokio::test(start_paused = true)]
async fn only_refused_tries_count_against_an_address() {
    use TokenVerdict::{Accepted, Doubtful, Silent, Unknown};
    for (verdict, address, known, passed) in [
        (Accepted, "192.0.2.1", false, 100),
        (Silent, "192.0.2.1", false, 100),
        (Unknown, "192.0.2.1", false, TRIES_A_MINUTE),
        (Doubtful, "192.0.2.1", false, TRIES_A_MINUTE),
        (Unknown, "", false, TRIES_A_MINUTE),
        (Unknown, "192.0.2.1", true, 100),
    ] {
        let standings = standings();
        let mut count = 0;
        for number in 0..100 {
            let newcomer = Newcomer {
                known,
                ..newcomer(number, address)
            };
            count += usize::from(attempt(&standings, &newcomer, verdict).await);
        }
        assert_eq!(count, passed, "{verdict:?} {address:?} known {known}");
        let other = newcomer(1000, "192.0.2.2");
        assert!(attempt(&standings, &other, verdict).await, "{verdict:?}");
        advance(Duration::from_secs(61)).await;
        let again = newcomer(1001, address);
        assert!(attempt(&standings, &again, verdict).await, "{verdict:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_is_a_network_of_64_bits() {
    let standings = standings();
    for number in 0..TRIES_A_MINUTE {
        let address = format!("2001:db8::{number:x}:1");
        assert!(
            attempt(
                &standings,
                &newcomer(number, &address),
                TokenVerdict::Unknown
            )
            .await
        );
    }
    for (address, passes) in [
        ("2001:db8::ffff:1", false),
        ("2001:db8:0:1::1", true),
        ("192.0.2.1", true),
        ("::ffff:192.0.2.1", true),
    ] {
        let newcomer = newcomer(5000, address);
        assert_eq!(standings.check(&newcomer).is_ok(), passes, "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_rests_longer_each_time() {
    let standings = standings();
    let token = Newcomer {
        known: true,
        ..newcomer(1, "192.0.2.1")
    };
    let mut rests = Vec::new();
    for _ in 0..9 {
        assert!(attempt(&standings, &token, TokenVerdict::Unknown).await);
        standings.record(token.digest, TokenVerdict::Unknown);
        let delay = standings.check(&token).expect_err("a rest");
        assert_eq!(delay.reason, DelayReason::Rest);
        assert!(standings.enter(&token, soon()).await.is_err());
        rests.push(delay.retry_after.as_secs());
        advance(delay.retry_after).await;
    }
    assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert!(attempt(&standings, &token, TokenVerdict::Accepted).await);
    standings.record(token.digest, TokenVerdict::Unknown);
    let delay = standings.check(&token).expect_err("a rest");
    assert_eq!(delay.retry_after, FIRST_REST, "success starts anew");
}

#[tokio::test(start_paused = true)]
async fn four_calls_of_a_new_token_go_and_the_others_wait_for_its_answer() {
    let standings = standings();
    let token = newcomer(1, "192.0.2.1");
    let mut seats = Vec::new();
    for _ in 0..NEW_CALLS {
        let seat = standings.enter(&token, soon()).await.expect("a seat");
        seats.push(seat.expect("it is new"));
    }
    let mut others: Vec<_> = (0..4)
        .map(|_| Box::pin(standings.enter(&token, soon())))
        .collect();
    for other in &mut others {
        assert!(other.now_or_never().is_none(), "four are under way");
    }
    standings.record(token.digest, TokenVerdict::Accepted);
    for other in others {
        assert!(other.await.expect("accepted").is_none());
    }
    // A waiting call fails after the longest wait if nothing moves.
    let silent = newcomer(2, "192.0.2.1");
    let mut held = Vec::new();
    for _ in 0..NEW_CALLS {
        held.push(standings.enter(&silent, soon()).await);
    }
    let start = Instant::now();
    let crowded = standings.enter(&silent, soon()).await.err();
    assert_eq!(crowded.expect("no seat").reason, DelayReason::Crowded);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn forty_new_tokens_of_one_address_wait_for_each_other_and_all_go() {
    let standings = Arc::new(standings());
    let calls = (0..40).map(|number| {
        let standings = Arc::clone(&standings);
        async move {
            let token = newcomer(number, "192.0.2.1");
            let seat = standings.enter(&token, soon()).await?;
            tokio::time::sleep(Duration::from_millis(400)).await;
            standings.record(token.digest, TokenVerdict::Accepted);
            if let Some(seat) = seat {
                seat.end(TokenVerdict::Accepted);
            }
            Ok::<(), Delay>(())
        }
    });
    let refused = futures_util::future::join_all(calls).await;
    assert_eq!(refused.iter().filter(|call| call.is_err()).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_uses_up_a_try() {
    let standings = standings();
    for number in 0..TRIES_A_MINUTE {
        let token = newcomer(number, "192.0.2.1");
        drop(standings.enter(&token, soon()).await.expect("a seat"));
    }
    let delay = standings.check(&newcomer(99, "192.0.2.1"));
    assert_eq!(delay.expect_err("no try").reason, DelayReason::Address);
}

#[tokio::test(start_paused = true)]
async fn acceptance_and_proofs_end_by_time_and_by_highlevels_word() {
    let standings = standings();
    let token = digest(1);
    let [home, other] = ["L0", "L1"].map(|id| TenantId::parse(id).expect("an id"));
    assert_eq!(standings.standing(&token), Standing::New);
    standings.record(token, TokenVerdict::Accepted);
    assert!(standings.prove(token, &home));
    assert!(!standings.prove(token, &home), "known already");
    assert_eq!(standings.only_location(&token).as_ref(), Some(&home));
    assert!(standings.prove(token, &other));
    assert_eq!(standings.only_location(&token), None, "several");
    assert!(standings.is_proven(&token, &home));
    assert!(!standings.is_proven(&digest(2), &home));
    standings.disprove(&token, &other);
    assert!(!standings.is_proven(&token, &other));
    for verdict in [TokenVerdict::Doubtful, TokenVerdict::Silent] {
        standings.record(token, verdict);
        assert_eq!(standings.standing(&token), Standing::Accepted);
    }
    // Each use renews both.
    advance(PROVEN_FOR / 2).await;
    standings.prove(token, &home);
    advance(PROVEN_FOR / 2).await;
    assert!(standings.is_proven(&token, &home));
    advance(PROVEN_FOR / 2).await;
    assert!(!standings.is_proven(&token, &home));
    assert!(standings.prove(token, &home), "it is news again");
    advance(ACCEPTED_FOR).await;
    assert_eq!(standings.standing(&token), Standing::New);
    standings.record(token, TokenVerdict::Accepted);
    standings.prove(token, &home);
    standings.record(token, TokenVerdict::Unknown);
    assert_eq!(standings.standing(&token), Standing::New);
    assert!(!standings.is_proven(&token, &home));
}

#[tokio::test(start_paused = true)]
async fn made_up_tokens_push_nothing_out_that_highlevel_accepted() {
    let standings = standings();
    let home = TenantId::parse("L0").expect("an id");
    standings.record(digest(0), TokenVerdict::Accepted);
    standings.prove(digest(0), &home);
    for number in 1..3 * MOST_STRANGERS {
        let token = Newcomer {
            address: Some(IpAddr::V4(u32::try_from(number).expect("small").into())),
            ..newcomer(number, "")
        };
        let seat = standings.enter(&token, soon()).await.expect("a seat");
        standings.record(token.digest, TokenVerdict::Unknown);
        seat.expect("it is new").end(TokenVerdict::Unknown);
    }
    assert_eq!(standings.standing(&digest(0)), Standing::Accepted);
    assert!(standings.is_proven(&digest(0), &home));
    let book = standings.book();
    for size in [book.rests.len(), book.new_calls.len(), book.addresses.len()] {
        assert!(size <= MOST_STRANGERS, "{size}");
    }
    assert_eq!((book.accepted.len(), book.proofs.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_let_a_token_in_by_no_read_is_tried_again_a_minute_later() {
    let standings = Standings::new(Duration::ZERO);
    standings.keep_out(digest(1), "acme LA".to_owned());
    assert!(standings.is_kept_out(digest(1), "acme LA"));
    assert!(!standings.is_kept_out(digest(1), "acme "), "another header");
    assert!(
        !standings.is_kept_out(digest(2), "acme LA"),
        "another token"
    );
    advance(Duration::from_secs(30)).await;
    assert!(
        standings.is_kept_out(digest(1), "acme LA"),
        "asking renews nothing"
    );
    advance(Duration::from_secs(31)).await;
    assert!(!standings.is_kept_out(digest(1), "acme LA"));
    // A name that no location can have costs no memory.
    let long = "x".repeat(LONGEST_ENDPOINT + 1);
    standings.keep_out(digest(1), long.clone());
    assert!(!standings.is_kept_out(digest(1), &long));
}
