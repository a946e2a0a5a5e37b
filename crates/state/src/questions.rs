//! Questions to people at clients: each is answered once, by the person who was asked, through any process on the
//! store.

use std::time::Duration;

use jiff::SignedDuration;

use crate::clock::now;
use crate::store::{Durability, Pending, Store, Transaction};
use crate::{StoreError, hex, random};

/// Most open questions of one caller: each holds a connection, and a person reads one at a time.
pub const MOST_OF_ONE: i64 = 10;

/// Most open questions.
const MOST: i64 = 1_000;

/// Length of an id in hexadecimal: 128 random bits.
const ID_LENGTH: usize = 32;

/// Longest stored answer, in bytes: a word.
const LONGEST_ANSWER: usize = 16;

/// Cheap to clone.
#[derive(Clone)]
pub struct Questions {
    store: Store,
}

/// A question that waits for its answer. It is withdrawn on drop.
pub struct OpenQuestion {
    questions: Questions,
    id: String,
}

impl Questions {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
        }
    }

    /// Opens a question to the person at a client of `principal`, for the call of this name there. `None` if too many
    /// are open.
    pub async fn open(
        &self,
        principal: [u8; 32],
        call: &str,
        lasts: Duration,
    ) -> Result<Option<OpenQuestion>, StoreError> {
        let question = OpenQuestion {
            questions: self.clone(),
            id: hex(&random::<16>()?),
        };
        let (id, call) = (question.id.clone(), call.to_owned());
        let opened = self.store.change(Durability::System, move |transaction| {
            insert(transaction, &id, principal, &call, lasts)
        });
        Ok(opened.await?.then_some(question))
    }

    /// Answers the question with a word of `principal`. Returns whether it was open, and that principal's.
    pub async fn answer(
        &self,
        id: &str,
        principal: [u8; 32],
        answer: &str,
    ) -> Result<bool, StoreError> {
        let is_id = id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return Ok(false);
        }
        self.settle(BY_ID, id, principal, answer).await
    }

    /// The same for the question of a call, by the name that it was opened with.
    pub async fn answer_for(
        &self,
        call: &str,
        principal: [u8; 32],
        answer: &str,
    ) -> Result<bool, StoreError> {
        self.settle(BY_CALL, call, principal, answer).await
    }

    /// An invented id causes only a read.
    async fn settle(
        &self,
        [find, put]: [&'static str; 2],
        name: &str,
        principal: [u8; 32],
        answer: &str,
    ) -> Result<bool, StoreError> {
        if answer.len() > LONGEST_ANSWER {
            return Ok(false);
        }
        let asked = name.to_owned();
        let found = self.store.read(move |transaction| {
            let find = sqlx::query(find).bind(asked.clone());
            Ok(transaction.one(find.bind(principal.to_vec()))?.is_some())
        });
        if !found.await? {
            return Ok(false);
        }
        let (name, answer) = (name.to_owned(), answer.to_owned());
        let settled = self.store.change(Durability::System, move |transaction| {
            let put = sqlx::query(put)
                .bind(name.clone())
                .bind(principal.to_vec())
                .bind(answer.clone())
                .bind(now());
            Ok(transaction.run(put)? > 0)
        });
        settled.await
    }
}

/// Finds an open question, and answers it.
const BY_ID: [&str; 2] = [
    "SELECT id FROM question WHERE id = $1 AND principal = $2 AND answer IS NULL",
    "UPDATE question SET answer = $3
        WHERE id = $1 AND principal = $2 AND answer IS NULL AND expires_at > $4",
];

const BY_CALL: [&str; 2] = [
    "SELECT id FROM question WHERE call = $1 AND principal = $2 AND answer IS NULL",
    "UPDATE question SET answer = $3
        WHERE call = $1 AND principal = $2 AND answer IS NULL AND expires_at > $4",
];

impl OpenQuestion {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The answer, once there is one.
    pub fn answer(&self) -> Pending<Option<String>> {
        let id = self.id.clone();
        self.questions.store.read(move |transaction| {
            let find = "SELECT answer FROM question WHERE id = $1 AND expires_at > $2";
            let find = sqlx::query(find).bind(id.clone()).bind(now());
            let row = transaction.one(find)?;
            row.map_or(Ok(None), |row| row.optional_text("answer"))
        })
    }
}

impl Drop for OpenQuestion {
    fn drop(&mut self) {
        let id = std::mem::take(&mut self.id);
        // Queued when this returns. A row that stays expires on its own.
        drop(
            self.questions
                .store
                .change(Durability::System, move |transaction| {
                    let close = sqlx::query("DELETE FROM question WHERE id = $1");
                    transaction.run(close.bind(id.clone())).map(drop)
                }),
        );
    }
}

/// Whether there was room.
fn insert(
    transaction: &mut Transaction,
    id: &str,
    principal: [u8; 32],
    call: &str,
    lasts: Duration,
) -> Result<bool, StoreError> {
    let over = sqlx::query("DELETE FROM question WHERE expires_at <= $1");
    transaction.run(over.bind(now()))?;
    let count = "SELECT COUNT(*) AS n,
            COALESCE(SUM(CASE WHEN principal = $1 THEN 1 ELSE 0 END), 0) AS own
        FROM question";
    let count = sqlx::query(count).bind(principal.to_vec());
    if let Some(counts) = transaction.one(count)?
        && (counts.integer("n")? >= MOST || counts.integer("own")? >= MOST_OF_ONE)
    {
        return Ok(false);
    }
    let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
    let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
    let put = "INSERT INTO question (id, principal, call, expires_at, answer) VALUES ($1, $2, $3, $4, NULL)";
    let put = sqlx::query(put)
        .bind(id.to_owned())
        .bind(principal.to_vec())
        .bind(call.to_owned())
        .bind(now().saturating_add(lasts));
    transaction.run(put).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::for_tests;

    const LONG: Duration = Duration::from_secs(60);
    const ADA: [u8; 32] = [1; 32];
    const BOB: [u8; 32] = [2; 32];

    async fn open(questions: &Questions, principal: [u8; 32]) -> Option<OpenQuestion> {
        questions
            .open(principal, "call", LONG)
            .await
            .expect("written")
    }

    #[on_both]
    async fn only_the_asked_caller_answers_once_through_any_process() {
        let folder = for_tests::folder();
        let [asking, other] = [(); 2].map(|()| Questions::new(&for_tests::open(&folder)));
        let question = open(&asking, ADA).await.expect("room");
        let id = question.id();
        assert_eq!(id.len(), ID_LENGTH);
        let made_up = "0".repeat(ID_LENGTH);
        let long = "x".repeat(LONGEST_ANSWER + 1);
        // Who answers which question with which word, and whether it counts.
        let rows = [
            (id, BOB, "accept", false),
            (made_up.as_str(), ADA, "accept", false),
            ("", ADA, "accept", false),
            (id, ADA, long.as_str(), false),
            (id, ADA, "decline", true),
            (id, ADA, "accept", false),
        ];
        for (id, who, word, counts) in rows {
            let answered = other.answer(id, who, word).await;
            assert_eq!(answered, Ok(counts), "{id} {word}");
        }
        assert_eq!(question.answer().await, Ok(Some("decline".to_owned())));
        let id = question.id().to_owned();
        drop(question);
        assert_eq!(asking.answer(&id, ADA, "accept").await, Ok(false));
    }

    #[on_both]
    async fn a_call_answers_its_own_question() {
        let questions = Questions::new(&for_tests::store());
        let [one, other] = ["one", "other"].map(|call| questions.open(ADA, call, LONG));
        let question = one.await.expect("written").expect("room");
        let other = other.await.expect("written").expect("room");
        let rows = [
            ("one", BOB, false),
            ("two", ADA, false),
            ("one", ADA, true),
            ("one", ADA, false),
        ];
        for (call, who, counts) in rows {
            let answered = questions.answer_for(call, who, "withdrawn").await;
            assert_eq!(answered, Ok(counts), "{call}");
        }
        assert_eq!(question.answer().await, Ok(Some("withdrawn".to_owned())));
        assert_eq!(other.answer().await, Ok(None));
    }

    #[on_both]
    async fn a_late_answer_is_none() {
        let questions = Questions::new(&for_tests::store());
        let brief = Duration::from_millis(20);
        let question = questions.open(ADA, "call", brief).await.expect("written");
        let question = question.expect("room");
        tokio::time::sleep(Duration::from_millis(60)).await;
        let late = questions.answer(question.id(), ADA, "accept").await;
        assert_eq!((late, question.answer().await), (Ok(false), Ok(None)));
    }

    #[on_both]
    async fn a_caller_has_a_few_questions_and_takes_no_room_from_others() {
        let questions = Questions::new(&for_tests::store());
        let mut open_ones = Vec::new();
        for _ in 0..MOST_OF_ONE {
            open_ones.extend(open(&questions, ADA).await);
        }
        assert_eq!(i64::try_from(open_ones.len()), Ok(MOST_OF_ONE));
        assert!(open(&questions, ADA).await.is_none());
        assert!(open(&questions, BOB).await.is_some());
        open_ones.pop();
        assert!(open(&questions, ADA).await.is_some());
        // Unclosed questions make room once they expire.
        let brief = Duration::from_millis(1);
        let left = questions.open(BOB, "call", brief).await.expect("written");
        tokio::time::sleep(Duration::from_millis(30)).await;
        let next = open(&questions, BOB).await;
        let kept = questions.store.read(|transaction| {
            let kept = sqlx::query("SELECT id FROM question WHERE principal = $1");
            let rows = transaction.all(kept.bind(BOB.to_vec()))?;
            rows.iter().map(|row| row.text("id")).collect()
        });
        let kept: Vec<String> = kept.await.expect("read");
        assert_eq!(kept, [next.expect("room").id()]);
        drop(left);
    }
}
