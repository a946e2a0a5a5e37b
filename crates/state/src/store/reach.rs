//! Waits for a database that cannot be reached yet: machines that start together are not ready in order.

use std::thread;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sqlx::Connection;
use tokio::runtime::Builder;

use super::Store;
use super::connection::open;
use super::place::StorePlace;
use super::postgres::REST;
use super::rows::wait_for;
use crate::StoreError;

impl Store {
    /// Blocks until the database at `url` answers, at most `longest`. The log has the reason. Fails at once if waiting
    /// cannot help, such as for a wrong password.
    pub fn wait_for_database(url: &SecretString, longest: Duration) -> Result<(), StoreError> {
        // On a thread of its own, as a store is opened.
        let waited = thread::scope(|scope| scope.spawn(|| wait(url, longest)).join());
        waited.unwrap_or_else(|_| {
            Err(StoreError::storage(
                "the database was not waited for: the thread for it broke off".to_owned(),
            ))
        })
    }
}

fn wait(url: &SecretString, longest: Duration) -> Result<(), StoreError> {
    let place = StorePlace::in_database(url)?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        StoreError::storage(format!(
            "the database cannot be asked: {error}; raise the limit on open files"
        ))
    })?;
    let begun = Instant::now();
    let mut told: Option<StoreError> = None;
    loop {
        let error = match open(&runtime, &place) {
            Ok(connection) => {
                if told.is_some() {
                    tracing::info!("the database can be reached now");
                }
                // It has served its purpose.
                let _ = wait_for(&runtime, &place, connection.close());
                return Ok(());
            }
            Err(error) => error,
        };
        let left = longest.saturating_sub(begun.elapsed());
        if !error.is_away() || left.is_zero() {
            return Err(error);
        }
        if told.as_ref() != Some(&error) {
            let seconds = left.as_secs();
            tracing::warn!(%error, "the server waits for its database, at most {seconds} s, and serves nobody meanwhile");
            told = Some(error);
        }
        thread::sleep(REST.min(left));
    }
}
