//! Narrowing a grant, in rows, tokens and other processes.

use super::*;

fn rules(grants: &Grants, access: &SecretString) -> Vec<String> {
    let found = on_one_thread(grants.find(access)).expect("read");
    let found = found.expect("a grant");
    found.grant.all_rules().map(str::to_owned).collect()
}

#[on_both]
fn rules_are_added_and_known_to_every_process() {
    let (folder, grants) = opened();
    let elsewhere = opened_in(&folder, TIMES);
    let tokens = connected(&grants);
    assert_eq!(rules(&elsewhere, &tokens.access), ["everyday"]);
    let narrow = |rules: &str| grants.narrow(&tokens.grant, rules, "per_ada").wait();
    let narrowed = narrow("section:front desk").expect("written");
    let narrowed = narrowed.expect("a grant");
    assert_eq!(narrowed.rules, "everyday");
    assert_eq!(narrowed.narrowings, ["section:front desk"]);
    assert_eq!(
        rules(&grants, &tokens.access),
        ["everyday", "section:front desk"]
    );
    let took = for_tests::comes("known elsewhere", || {
        elsewhere.narrowings(&tokens.grant) == 1 && rules(&elsewhere, &tokens.access).len() == 2
    });
    assert!(took <= Duration::from_millis(400), "{took:?}");
    // Rules that apply already are not added again, and a later token has all of them.
    assert_eq!(narrow("everyday"), Ok(Some(narrowed.clone())));
    assert_eq!(narrow("section:front desk"), Ok(Some(narrowed)));
    let later = refresh(&grants, &tokens.refresh).expect("refreshed");
    assert_eq!(rules(&grants, &later.access).len(), 2);
    let events =
        "SELECT COUNT(*) AS n FROM event WHERE kind = 'grant narrowed' AND actor = 'per_ada'";
    assert_eq!(number(&folder, events), 1);
}

#[on_both]
fn a_refused_narrowing_changes_nothing() {
    let (folder, grants) = opened();
    let tokens = connected(&grants);
    let narrow = |rules: &str| grants.narrow(&tokens.grant, rules, "per_ada").wait();
    for wrong in ["", "read-only\neverything"] {
        let error = narrow(wrong).expect_err("no name").to_string();
        assert!(error.contains("one line"), "{error}");
    }
    for rules in ["ask-first", "section:a", "read-only"] {
        assert!(narrow(rules).is_ok_and(|grant| grant.is_some()), "{rules}");
    }
    let error = narrow("section:b").expect_err("full").to_string();
    assert!(error.contains("4 rules apply"), "{error}");
    assert_eq!(rules(&grants, &tokens.access).len(), MOST_RULES);
    let ended = EndedGrants::One(tokens.grant.clone());
    grants.end(ended, "ended", None).wait().expect("ended");
    assert_eq!(narrow("section:a"), Ok(None));
    assert_eq!(
        grants.narrow("gra_none", "read-only", "per_ada").wait(),
        Ok(None)
    );
    let events = "SELECT COUNT(*) AS n FROM event WHERE kind = 'grant narrowed'";
    assert_eq!(number(&folder, events), 3);
}
