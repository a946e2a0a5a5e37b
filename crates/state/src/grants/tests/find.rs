//! Access tokens: their rights, the cache, and how soon another process knows an end.

use super::*;

#[on_both]
fn an_access_token_opens_its_grant_until_its_end() {
    let key_over = "UPDATE access_key SET expires_at = 1";
    for (name, change, opens) in [
        ("good", "UPDATE access SET scope = scope", true),
        ("over", "UPDATE access SET expires_at = 1", false),
        ("ended", "UPDATE oauth_grant SET ended_at = 1", false),
        ("too old", "UPDATE oauth_grant SET hard_until = 1", false),
        ("its key over", key_over, false),
        ("its key gone", "DELETE FROM access_key", false),
    ] {
        let (folder, grants) = opened();
        let elsewhere = opened_in(&folder, TIMES);
        let tokens = connected(&grants);
        let before = found(&grants, &tokens.access).expect("good");
        assert_eq!(before.grant.id, tokens.grant);
        assert_eq!(before.scope, GrantScope::Write);
        sql(&folder, change);
        for grants in [&grants, &elsewhere] {
            for_tests::comes(name, || found(grants, &tokens.access).is_some() == opens);
        }
    }
    let (_folder, grants) = opened();
    let tokens = connected(&grants);
    let access = tokens.access.expose_secret();
    let cut = &access[..access.len() - 1];
    for text in [tokens.refresh.expose_secret(), cut, "hla_", "", "hlk_a_b"] {
        let text = SecretString::from(text.to_owned());
        assert!(found(&grants, &text).is_none(), "{text:?}");
    }
}

/// The rights of a key do not outlive it for clients either.
#[on_both]
fn a_token_is_valid_no_longer_than_its_key() {
    let (folder, grants) = opened();
    let tokens = connected(&grants);
    let soon = now() + 60_000;
    sql(
        &folder,
        &format!("UPDATE access_key SET expires_at = {soon}"),
    );
    for_tests::comes("sooner", || {
        let access = found(&grants, &tokens.access).expect("good");
        access.expires.as_millisecond() == soon
    });
    let next = refresh(&grants, &tokens.refresh).expect("refreshed");
    assert!(next.expires_in <= Duration::from_secs(60));
}

#[on_both]
fn every_process_knows_an_end_within_a_fifth_of_a_second() {
    let folder = for_tests::folder();
    let all = [(); 3].map(|()| opened_in(&folder, TIMES));
    let tokens = connected(&all[0]);
    for grants in &all {
        assert!(found(grants, &tokens.access).is_some());
    }
    let ended = EndedGrants::One(tokens.grant.clone());
    all[1].end(ended, "because", None).wait().expect("ended");
    assert!(found(&all[1], &tokens.access).is_none(), "its own");
    for grants in [&all[0], &all[2]] {
        let after = for_tests::comes("ended", || found(grants, &tokens.access).is_none());
        println!("known after {after:?}");
        for_tests::comes("not live", || !grants.is_live(&tokens.grant));
    }
}

#[on_both]
fn a_token_that_is_asked_for_again_reads_no_row() {
    let (folder, grants) = opened();
    let tokens = connected(&grants);
    let unknown = SecretString::from("hla_unknown".to_owned());
    assert!(found(&grants, &tokens.access).is_some());
    assert!(found(&grants, &unknown).is_none());
    // Rows change, and nobody is notified.
    for_tests::beside(&folder, |transaction| {
        transaction.run(sqlx::query("DELETE FROM access"))
    });
    assert!(found(&grants, &tokens.access).is_some());
    let again = opened_in(&folder, TIMES);
    assert!(found(&again, &tokens.access).is_none());
}

/// Invented tokens fill no memory, and displace no others.
#[on_both]
fn as_many_tokens_are_remembered_as_may_be() {
    let grants = Grants::new(&for_tests::store(), TIMES);
    let tokens = connected(&grants);
    assert!(found(&grants, &tokens.access).is_some());
    for number in 0..access::MOST_KNOWN + 10 {
        let unknown = SecretString::from(format!("hla_{number}"));
        assert!(found(&grants, &unknown).is_none());
    }
    let mirrored = grants.mirror.value();
    let (known, unknown) = mirrored.as_ref().as_ref().expect("read").counts();
    assert_eq!((known, unknown), (1, 10));
}

#[on_both]
fn the_last_use_is_known_to_some_minutes() {
    let (folder, grants) = opened();
    let tokens = connected(&grants);
    let long_ago = now() - 2 * access::USED_TO;
    sql(
        &folder,
        &format!("UPDATE oauth_grant SET used_at = {long_ago}"),
    );
    let used = || number(&folder, "SELECT used_at AS n FROM oauth_grant");
    for_tests::comes("noted", || {
        found(&grants, &tokens.access).expect("good");
        used() > long_ago
    });
    let noted = used();
    std::thread::sleep(Duration::from_millis(20));
    found(&grants, &tokens.access).expect("good");
    let settled = grants.store.change(Durability::System, |_| Ok(()));
    settled.wait().expect("settled");
    assert_eq!(used(), noted, "not again at once");
}

#[on_sqlite("the file is moved away")]
fn unreadable_grants_let_nobody_in_and_use_nothing_up() {
    let (folder, grants) = opened();
    let tokens = connected(&grants);
    let (_, code) = allow(&grants, new_grant(GrantHolder::Key(key(&grants))));
    let (path, aside) = (for_tests::file(&folder), folder.path().join("aside"));
    std::fs::rename(&path, &aside).expect("moved");
    for_tests::comes("unreadable", || {
        on_one_thread(grants.find(&tokens.access)) == Err(GrantTrouble::Unreadable)
    });
    assert!(!grants.is_live(&tokens.grant));
    assert!(on_one_thread(grants.redeem(redemption(&code))).is_err());
    assert!(on_one_thread(grants.refresh(request(&tokens.refresh))).is_err());
    std::fs::rename(&aside, &path).expect("put back");
    for_tests::comes("readable", || {
        on_one_thread(grants.find(&tokens.access)).is_ok_and(|found| found.is_some())
    });
    redeem(&grants, redemption(&code)).expect("redeemed");
    refresh(&grants, &tokens.refresh).expect("refreshed");
    assert_eq!(number(&folder, "SELECT MAX(seq) AS n FROM oauth_grant"), 1);
}
