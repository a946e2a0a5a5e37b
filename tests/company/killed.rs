//! Processes that die during a renewal. A fresh process must always get a token that works.

use tokio::process::Child;

use crate::chain::{ALL, Chain, Tally, ended, start};
use crate::token_endpoints::Holder;

/// Companies and installs that are renewed at the same time. Most of the time, a process waits for the lease of a dead
/// one to end.
const CHAINS: usize = 20;

/// After so many every step has had its death, as far as chance goes.
const ALL_STEPS: usize = 1_000;

/// How many renewals are killed: `COMPANY_KILLS`, or a thousand with `GATEWAY_FULL`.
fn kills() -> usize {
    let given = std::env::var("COMPANY_KILLS").ok();
    let given = given.map(|text| text.parse().expect("COMPANY_KILLS is a number"));
    given.unwrap_or_else(|| match std::env::var_os("GATEWAY_FULL") {
        Some(_) => 1_000,
        None => 40,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_death_loses_the_pair() {
    let kills = kills();
    let runs = kills.div_ceil(CHAINS);
    let chains: Vec<_> = (0..CHAINS)
        .map(|number| {
            tokio::spawn(async move {
                let holder = [Holder::Company, Holder::Location][number % 2];
                let mut chain = Chain::start_for(holder).await;
                let mut tally = Tally::default();
                for _ in 0..runs {
                    chain.run(&mut tally).await;
                    tally.runs += 1;
                }
                (tally.renewals, tally.rotations) =
                    (chain.highlevel.renewals(), chain.highlevel.rotations());
                tally
            })
        })
        .collect();
    let mut all = Tally::default();
    for chain in chains {
        let tally = chain.await.expect("no pair is lost");
        for (step, count) in tally.deaths {
            *all.deaths.entry(step).or_default() += count;
        }
        all.runs += tally.runs;
        all.installs += tally.installs;
        all.late += tally.late;
        all.hours += tally.hours;
        all.renewals += tally.renewals;
        all.rotations += tally.rotations;
    }
    println!(
        "{} runs, {} of them of a new install ({} processes ended before they were killed): {} requests, {} new pairs, 0 \
         lost; an hour went by after {}; where nobody else went on, killed at: {:?}",
        all.runs, all.installs, all.late, all.renewals, all.rotations, all.hours, all.deaths
    );
    assert_eq!((all.runs, all.rotations), (runs * CHAINS, runs * CHAINS));
    for step in ALL {
        assert!(
            kills < ALL_STEPS || all.deaths.contains_key(&step),
            "no process died at {step:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_renew_once() {
    for processes in [2, 3, 3] {
        let chain = Chain::start().await;
        chain.next(true).await;
        let started: Vec<Child> = (0..processes).map(|_| start(&chain)).collect();
        for process in started {
            let (token, status, text) = ended(process).await;
            assert!(status.success(), "{text}");
            assert_eq!(token.as_deref(), Some("company.2.access"), "{text}");
        }
        let asked = (chain.highlevel.renewals(), chain.highlevel.rotations());
        assert_eq!(asked, (1, 1), "{processes}");
    }
}
