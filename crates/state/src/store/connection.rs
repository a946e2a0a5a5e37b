//! A connection: its transactions, and the handling of those without a known end.

use std::time::Instant;

use sqlx::{AnyConnection, Connection};
use tokio::runtime::{Builder, Runtime};

use super::place::StorePlace;
use super::rows::{Effects, Transaction, Trouble, wait_for};
use super::{Durability, postgres, sqlite};
use crate::StoreError;
use crate::folder::LONGEST_WAIT;

/// A connection, with the runtime for its statements.
pub(super) struct StoreConnection {
    runtime: Runtime,
    connection: AnyConnection,
    place: StorePlace,
    inode: Option<u64>,
    durability: Durability,
    /// A transaction did not end, so the state of the connection is unknown.
    is_doubtful: bool,
    /// A transaction whose commit was not acknowledged: it is written, or it is not.
    unsettled: Option<OpenCommit>,
    /// The failure to make another connection, with its time.
    failed: Option<(Instant, StoreError)>,
}

struct OpenCommit {
    /// PostgreSQL's number of the transaction.
    number: i64,
    effects: Effects,
}

/// The fate of a transaction whose commit was not acknowledged.
#[derive(Debug)]
pub(super) enum CommitFate {
    Written(Effects),
    Lost,
}

/// A connection on which `first` ran in a transaction of its own.
pub(super) fn connect<T>(
    place: &StorePlace,
    first: impl FnOnce(&mut Transaction) -> Result<T, StoreError>,
) -> Result<(StoreConnection, T), StoreError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        StoreError::storage(format!(
            "the store cannot be used: {error}; raise the limit on open files"
        ))
    })?;
    let mut connection = StoreConnection {
        connection: open(&runtime, place)?,
        runtime,
        place: place.clone(),
        inode: sqlite::inode(place),
        durability: Durability::Disk,
        is_doubtful: false,
        unsettled: None,
        failed: None,
    };
    let mut first = Some(first);
    let mut value = None;
    // It can be done once: there is no other try, which would hide why this one failed.
    let done = connection.attempt(Durability::Disk, &mut |transaction| {
        if let Some(first) = first.take() {
            value = Some(first(transaction)?);
        }
        Ok(())
    });
    if let Err((error, _)) = done {
        match connection.settle() {
            Ok(Some(CommitFate::Written(_))) => {}
            _ => return Err(error),
        }
    }
    value
        .map(|value| (connection, value))
        .ok_or_else(StoreError::closed)
}

pub(super) fn open(runtime: &Runtime, place: &StorePlace) -> Result<AnyConnection, StoreError> {
    install_drivers();
    match place {
        StorePlace::Database(address) => postgres::open(runtime, place, address),
        StorePlace::Memory | StorePlace::File(_) => sqlite::open(runtime, place),
    }
}

impl StoreConnection {
    /// Runs the future on the connection's thread.
    pub(super) fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Writes all changes into the file. Returns whether nobody else has it open, which would prevent that.
    pub(crate) fn leave_wal(&mut self) -> Result<bool, StoreError> {
        sqlite::leave_wal(&self.runtime, &mut self.connection, &self.place)
    }

    /// When it returns, everything is in the file, unless another process has that open.
    pub(super) fn close(self) {
        // SQLite does the rest when the file is opened again.
        let _ = wait_for(&self.runtime, &self.place, self.connection.close());
    }

    /// Fails if the file is gone, or was replaced: nobody would find later changes.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &self.place {
            StorePlace::File(path) if self.inode != sqlite::inode(&self.place) => {
                Err(StoreError::storage(format!(
                    "{} was removed or replaced while it was in use; stop every process that uses it, and start again",
                    path.display()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Makes another connection if this one is doubtful; a store in memory has no other.
    fn renew(&mut self) -> Result<(), StoreError> {
        if !self.is_doubtful || matches!(self.place, StorePlace::Memory) {
            return Ok(());
        }
        // Waiting callers learn at once what the first one waited for.
        if let Some((at, error)) = &self.failed
            && at.elapsed() < postgres::REST
        {
            return Err(error.clone());
        }
        match open(&self.runtime, &self.place) {
            Ok(new) => {
                let old = std::mem::replace(&mut self.connection, new);
                // Its unfinished work ends with it.
                let _ = wait_for(&self.runtime, &self.place, old.close_hard());
                self.durability = Durability::Disk;
                self.is_doubtful = false;
                self.failed = None;
                Ok(())
            }
            Err(error) => {
                if self.place.is_database() {
                    self.failed = Some((Instant::now(), error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Runs `act` in a transaction, and returns its effects. If the connection broke off before its end, runs it once
    /// more on another.
    pub(super) fn transact(
        &mut self,
        durability: Durability,
        act: &mut dyn FnMut(&mut Transaction) -> Result<(), StoreError>,
    ) -> Result<Effects, StoreError> {
        self.check()?;
        self.renew()?;
        if self.unsettled.is_some() {
            return Err(StoreError::busy(format!(
                "{} did not confirm the last changes",
                self.place.database().unwrap_or("the store")
            )));
        }
        let mut is_again = false;
        loop {
            match self.attempt(durability, act) {
                Err((error, Some(Trouble::Broken))) if !std::mem::replace(&mut is_again, true) => {
                    self.renew().map_err(|_| error)?;
                }
                Err((error, _)) => {
                    return match self.settle() {
                        Ok(Some(CommitFate::Written(effects))) => Ok(effects),
                        _ => Err(error),
                    };
                }
                Ok(effects) => return Ok(effects),
            }
        }
    }

    fn attempt(
        &mut self,
        durability: Durability,
        act: &mut dyn FnMut(&mut Transaction) -> Result<(), StoreError>,
    ) -> Result<Effects, (StoreError, Option<Trouble>)> {
        let (runtime, place) = (&self.runtime, &self.place);
        let begin = match place {
            StorePlace::Database(_) => postgres::BEGIN,
            StorePlace::Memory | StorePlace::File(_) => {
                if self.durability != durability {
                    sqlite::set_durability(runtime, &mut self.connection, place, durability)
                        .map_err(|error| (error, None))?;
                    self.durability = durability;
                }
                // Nobody else writes from here on, so reads stay valid.
                "BEGIN IMMEDIATE"
            }
        };
        let begun = wait_for(runtime, place, self.connection.begin_with(begin));
        let mut begun = match begun {
            Ok(begun) => begun,
            Err(why) => {
                self.is_doubtful = place.is_database();
                return Err((why.error, why.trouble));
            }
        };
        let mut transaction = Transaction::new(runtime, &mut begun, place);
        let number = match place.is_database() {
            true => postgres::take_turn(&mut transaction),
            false => Ok(0),
        };
        let done = number.and_then(|number| act(&mut transaction).map(|()| number));
        let Transaction {
            effects,
            trouble,
            failure,
            ..
        } = transaction;
        // PostgreSQL answers "committed" even for a transaction that an earlier statement aborted.
        let done = done.and_then(|number| failure.map_or(Ok(number), Err));
        let number = match done {
            Ok(number) => number,
            Err(error) if trouble.is_some() => {
                self.is_doubtful = true;
                return Err((error, trouble));
            }
            Err(error) => {
                // After a disk error SQLite may have ended it already, without the library's knowledge.
                self.is_doubtful = wait_for(runtime, place, begun.rollback()).is_err();
                return Err((error, None));
            }
        };
        let committed = wait_for(runtime, place, begun.commit());
        let Err(why) = committed else {
            return Ok(effects);
        };
        self.is_doubtful = true;
        self.unsettled = place
            .is_database()
            .then_some(OpenCommit { number, effects });
        Err((why.error, None))
    }

    /// Whether the fate of the last transaction is unknown.
    pub(super) fn is_unsettled(&self) -> bool {
        self.unsettled.is_some()
    }

    /// Asks for the fate of the transaction whose commit was not acknowledged, if there is one.
    pub(super) fn settle(&mut self) -> Result<Option<CommitFate>, StoreError> {
        let Some(unsettled) = self.unsettled.take() else {
            return Ok(None);
        };
        let number = unsettled.number;
        let asked = self.renew().and_then(|()| {
            let mut is_written = false;
            self.look(&mut |transaction| {
                is_written = postgres::is_written(transaction, number)?;
                Ok(())
            })?;
            Ok(is_written)
        });
        match asked {
            Ok(true) => Ok(Some(CommitFate::Written(unsettled.effects))),
            Ok(false) => Ok(Some(CommitFate::Lost)),
            Err(error) => {
                self.unsettled = Some(unsettled);
                Err(error)
            }
        }
    }

    /// Reads. In a file, every statement sees one moment; in a server, all of `act` sees one.
    pub(super) fn look(
        &mut self,
        act: &mut dyn FnMut(&mut Transaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if !self.place.is_database() {
            return self.look_once(act).map_err(|(error, _)| error);
        }
        self.renew()?;
        match self.look_once(act) {
            Err((error, Some(Trouble::Broken))) => {
                self.renew().map_err(|_| error)?;
                self.look_once(act).map_err(|(error, _)| error)
            }
            done => done.map_err(|(error, _)| error),
        }
    }

    fn look_once(
        &mut self,
        act: &mut dyn FnMut(&mut Transaction) -> Result<(), StoreError>,
    ) -> Result<(), (StoreError, Option<Trouble>)> {
        let (runtime, place) = (&self.runtime, &self.place);
        if !place.is_database() {
            let mut transaction = Transaction::new(runtime, &mut self.connection, place);
            return act(&mut transaction).map_err(|error| (error, None));
        }
        let begun = wait_for(
            runtime,
            place,
            self.connection.begin_with(postgres::BEGIN_TO_READ),
        );
        let mut begun = match begun {
            Ok(begun) => begun,
            Err(why) => {
                self.is_doubtful = true;
                return Err((why.error, why.trouble));
            }
        };
        let mut transaction = Transaction::new(runtime, &mut begun, place);
        let done = act(&mut transaction);
        let trouble = transaction.trouble;
        if trouble.is_none() && wait_for(runtime, place, begun.rollback()).is_err() {
            self.is_doubtful = true;
        }
        self.is_doubtful |= trouble.is_some();
        done.map_err(|error| (error, trouble))
    }
}

fn install_drivers() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // Fails only if another part of the program did it: then they are registered.
        let _ =
            sqlx::any::install_drivers(&[sqlx::sqlite::any::DRIVER, sqlx::postgres::any::DRIVER]);
    });
}

/// No statement may wait for a lock longer than its caller waits.
const _: () = assert!(postgres::LONGEST_LOCK_MS <= LONGEST_WAIT.as_millis());
