//! HighLevel's verdicts on tokens, for every process on the store: accepted tokens, and the locations they proved.
//!
//! Only tokens that HighLevel accepted at some time have rows, so invented tokens create none.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::now;
use super::store::{Durability, Pending, Store, StoredRow, Transaction};
use super::{StoreError, time};

/// How long each fact is useful.
const ACCEPTED_FOR: Duration = Duration::from_hours(30 * 24);
const PROVEN_FOR: Duration = Duration::from_hours(24);

/// Most facts that are read at once, the newest.
const MOST_READ: i64 = 200_000;

/// HighLevel's verdict on a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFactKind {
    Accepted,
    /// It no longer knows the token: everything earlier is void.
    Unknown,
    /// It accepted the token for a location.
    Proven,
    /// It later refused that.
    Disproven,
    /// It accepted the token where only a location's own token is accepted.
    Home,
}

/// One fact about one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFact {
    /// The token's digest by the store's identity.
    pub token: [u8; 32],
    pub kind: TokenFactKind,
    /// The location's id, if the fact is about one.
    pub location: Option<String>,
}

impl TokenFactKind {
    const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Unknown,
        Self::Proven,
        Self::Disproven,
        Self::Home,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::Proven => "proven",
            Self::Disproven => "disproven",
            Self::Home => "home",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Store {
    /// Records facts, in order.
    pub fn note_token_facts(&self, facts: Vec<TokenFact>) -> Pending<()> {
        self.change(Durability::System, move |transaction| {
            facts.iter().try_for_each(|fact| fact.put(transaction))
        })
    }

    /// Facts that any process recorded since `since`, the oldest first, with the time of each record.
    pub fn token_facts(&self, since: Timestamp) -> Pending<Vec<(TokenFact, Timestamp)>> {
        self.read(move |transaction| {
            let find = "SELECT token, kind, location, at FROM token_fact WHERE at >= $1 ORDER BY at DESC LIMIT $2";
            let find = sqlx::query(find).bind(since.as_millisecond()).bind(MOST_READ);
            let rows = transaction.all(find)?;
            // Facts of later versions are ignored.
            let facts = rows.iter().rev().filter_map(|row| TokenFact::from_row(row).transpose());
            facts.collect()
        })
    }
}

impl TokenFact {
    fn put(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let location = self.location.as_deref().unwrap_or_default();
        // Contrary facts are deleted.
        let (void, of_location) = match self.kind {
            TokenFactKind::Accepted => (&["unknown"][..], false),
            TokenFactKind::Unknown => (&["accepted", "proven", "disproven", "home"][..], false),
            TokenFactKind::Proven => (&["disproven"][..], true),
            TokenFactKind::Disproven => (&["proven"][..], true),
            TokenFactKind::Home => (&[][..], true),
        };
        for kind in void {
            let end = "DELETE FROM token_fact WHERE token = $1 AND kind = $2 AND ($3 = 0 OR location = $4)";
            let end = sqlx::query(end)
                .bind(self.token.to_vec())
                .bind(*kind)
                .bind(i64::from(of_location))
                .bind(location.to_owned());
            transaction.run(end)?;
        }
        let put = "INSERT INTO token_fact (token, kind, location, at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (token, kind, location) DO UPDATE SET at = $4";
        let put = sqlx::query(put)
            .bind(self.token.to_vec())
            .bind(self.kind.name())
            .bind(location.to_owned())
            .bind(now());
        transaction.run(put).map(drop)
    }

    fn from_row(row: &StoredRow) -> Result<Option<(Self, Timestamp)>, StoreError> {
        let Some(kind) = TokenFactKind::parse(&row.text("kind")?) else {
            return Ok(None);
        };
        let Ok(token) = row.bytes("token")?.try_into() else {
            return Ok(None);
        };
        let location = row.text("location")?;
        let fact = Self {
            token,
            kind,
            location: Some(location).filter(|location| !location.is_empty()),
        };
        Ok(Some((fact, time(row.integer("at")?))))
    }
}

/// Deletes facts that are no longer useful.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let since = |lasts: Duration| {
        now().saturating_sub(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX))
    };
    let sweep = "DELETE FROM token_fact WHERE at <= $1 OR (at <= $2 AND kind <> 'accepted')";
    let sweep = sqlx::query(sweep)
        .bind(since(ACCEPTED_FOR))
        .bind(since(PROVEN_FOR));
    transaction.run(sweep).map(drop)
}

#[cfg(test)]
mod tests {
    use super::TokenFactKind::{Accepted, Disproven, Home, Proven, Unknown};
    use super::*;
    use crate::store::for_tests::{folder, open};
    use on_both::on_both;

    fn fact(token: u8, kind: TokenFactKind, location: Option<&str>) -> TokenFact {
        TokenFact {
            token: [token; 32],
            kind,
            location: location.map(str::to_owned),
        }
    }

    #[on_both]
    fn another_process_knows_the_last_word_of_each() {
        let folder = folder();
        let (one, other) = (open(&folder), open(&folder));
        // Each: the recorded fact, and everything known of that token afterwards.
        let steps = [
            (fact(1, Accepted, None), vec![(Accepted, None)]),
            (
                fact(1, Proven, Some("a")),
                vec![(Accepted, None), (Proven, Some("a"))],
            ),
            (
                fact(1, Home, Some("a")),
                vec![(Accepted, None), (Proven, Some("a")), (Home, Some("a"))],
            ),
            (
                fact(1, Disproven, Some("a")),
                vec![(Accepted, None), (Home, Some("a")), (Disproven, Some("a"))],
            ),
            (fact(1, Unknown, None), vec![(Unknown, None)]),
            (fact(1, Accepted, None), vec![(Accepted, None)]),
            (fact(2, Accepted, None), vec![(Accepted, None)]),
        ];
        for (index, (noted, expected)) in steps.into_iter().enumerate() {
            let token = noted.token;
            one.note_token_facts(vec![noted]).wait().expect("noted");
            let known = other.token_facts(Timestamp::UNIX_EPOCH).wait();
            let mut known: Vec<_> = known
                .expect("read")
                .into_iter()
                .filter(|(fact, _)| fact.token == token)
                .map(|(fact, _)| (fact.kind.name(), fact.location))
                .collect();
            known.sort();
            let expected = expected
                .into_iter()
                .map(|(kind, location)| (kind.name(), location.map(str::to_owned)));
            let mut expected: Vec<_> = expected.collect();
            expected.sort();
            assert_eq!(known, expected, "{index}");
        }
        let later = Timestamp::now() + jiff::SignedDuration::from_secs(60);
        assert_eq!(other.token_facts(later).wait(), Ok(Vec::new()));
    }
}
