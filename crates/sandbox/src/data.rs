//! The file with a sandbox's records between two runs: SQLite, one row per record.

use std::path::Path;

use rusqlite::{Connection, params};
use serde_json::Value;

/// An open file. A record that cannot be written is logged, not lost from memory.
pub(crate) struct RecordsFile(Connection);

impl RecordsFile {
    /// Opens or makes the file.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let unusable = |error: rusqlite::Error| {
            let path = path.display();
            format!("{path} cannot be used for the sandbox's records: {error}; give another --data")
        };
        let connection = Connection::open(path).map_err(unusable)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                 CREATE TABLE IF NOT EXISTS records
                 (place INTEGER PRIMARY KEY, kind TEXT, id TEXT, record TEXT, UNIQUE (kind, id));",
            )
            .map_err(unusable)?;
        Ok(Self(connection))
    }

    /// Kind, id and content of each record, in the order of creation.
    pub(crate) fn records(&self) -> Result<Vec<(String, String, Value)>, String> {
        let broken =
            |error: rusqlite::Error| format!("the sandbox's records cannot be read: {error}");
        let query = "SELECT kind, id, record FROM records ORDER BY place";
        let mut query = self.0.prepare(query).map_err(broken)?;
        let rows = query
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
            })
            .map_err(broken)?;
        rows.map(|row| {
            let (kind, id, text) = row.map_err(broken)?;
            let record = serde_json::from_str(&text)
                .map_err(|error| format!("the record {kind} {id} is not JSON: {error}"))?;
            Ok((kind, id, record))
        })
        .collect()
    }

    /// Everything until the end is written at once.
    pub(crate) fn begin(&self) {
        report(self.0.execute_batch("BEGIN"));
    }

    pub(crate) fn commit(&self) {
        report(self.0.execute_batch("COMMIT"));
    }

    pub(crate) fn put(&self, kind: &str, id: &str, record: &Value) {
        let insert = "INSERT INTO records (kind, id, record) VALUES (?1, ?2, ?3)
                      ON CONFLICT (kind, id) DO UPDATE SET record = excluded.record";
        let done = self.0.prepare_cached(insert);
        report(done.and_then(|mut insert| insert.execute(params![kind, id, record.to_string()])));
    }

    pub(crate) fn remove(&self, kind: &str, id: &str) {
        let delete = "DELETE FROM records WHERE kind = ?1 AND id = ?2";
        report(self.0.execute(delete, params![kind, id]));
    }

    pub(crate) fn clear(&self) {
        report(self.0.execute("DELETE FROM records", []));
    }
}

fn report<T>(done: rusqlite::Result<T>) {
    if let Err(error) = done {
        tracing::error!(%error, "the sandbox's file could not be written");
    }
}
