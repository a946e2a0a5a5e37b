//! Copies a store's file into a database, row by row, for servers that move to several machines.

use secrecy::SecretString;
use std::path::Path;

use super::connection::{StoreConnection, connect};
use super::place::StorePlace;
use super::restore::free;
use super::rows::{StoredValue, Transaction};
use super::{KEY_FILE, RingSource, Store, StoreOptions, file_name, keep_to, schema};
use crate::StoreError;
use crate::folder::StateFolder;

/// Rows that are read at once.
const AT_ONCE: i64 = 500;

/// Tables that are not copied: they describe one database.
const OWN: [&str; 4] = ["meta", "revision", "instance", "usage_writer"];

/// The number of copied rows per table.
pub type CopiedTables = Vec<(&'static str, usize)>;

impl Store {
    /// Copies the file of `options`' folder into the database at `to`, which gets its tables and must be empty; all or
    /// nothing. Blocks. Fails if a process uses the file. The same keys open it there.
    pub fn copy(options: &StoreOptions, to: &SecretString) -> Result<CopiedTables, StoreError> {
        // In a separate thread, like opening a store.
        let copied = std::thread::scope(|scope| scope.spawn(|| copy(options, to)).join());
        copied.unwrap_or_else(|_| {
            Err(StoreError::storage(
                "the store was not copied: its thread broke off".to_owned(),
            ))
        })
    }
}

fn copy(options: &StoreOptions, to: &SecretString) -> Result<CopiedTables, StoreError> {
    let Some(folder) = options.folder else {
        return Err(StoreError::from(
            "there is no state folder to copy from; give one".to_owned(),
        ));
    };
    let path = folder.join(file_name(options.upstream));
    if !path.exists() {
        return Err(StoreError::from(format!(
            "there is no store {}; give the folder and the upstream that the server has",
            path.display()
        )));
    }
    let folder = StateFolder::open(folder)?;
    free(&path)?;
    let place = StorePlace::in_database(to)?;
    place.warn_of_network();
    let key_file = folder.file(KEY_FILE);
    let (mut source, ()) = open_source(&path, options, &key_file)?;
    let (database, copied) = connect(&place, |there| {
        schema::bring_up_to_date(there)?;
        keep_to(there, options.upstream, &place)?;
        let mut copied = Vec::new();
        for table in schema::tables().filter(|table| !OWN.contains(table)) {
            refuse_rows(there, table)?;
            let mut rows = 0;
            source.look(&mut |here| {
                rows = copy_table(here, there, table)?;
                Ok(())
            })?;
            copied.push((table, rows));
        }
        // A process that has the database open already reads it again.
        there.revise()?;
        Ok(copied)
    })?;
    database.close();
    source.close();
    Ok(copied)
}

fn open_source(
    path: &Path,
    options: &StoreOptions,
    key_file: &Path,
) -> Result<(StoreConnection, ()), StoreError> {
    connect(&StorePlace::File(path.to_owned()), |transaction| {
        schema::bring_up_to_date(transaction)?;
        let ring = RingSource {
            given: options.keys,
            file: Some(key_file),
            is_shared: false,
        };
        ring.open(transaction).map(drop)
    })
}

fn refuse_rows(there: &mut Transaction, table: &str) -> Result<(), StoreError> {
    let find = format!("SELECT COUNT(*) AS n FROM {table}");
    let row = there.one(sqlx::query(sqlx::AssertSqlSafe(find)))?;
    match row.map_or(Ok(0), |row| row.integer("n"))? {
        0 => Ok(()),
        rows => Err(StoreError::from(format!(
            "the database already has {rows} rows in {table}; copy into an empty database, or use this one as it is"
        ))),
    }
}

fn copy_table(
    here: &mut Transaction,
    there: &mut Transaction,
    table: &'static str,
) -> Result<usize, StoreError> {
    // It is small and has no row ids, so it is copied as a whole.
    let is_whole = table == "cap";
    let mut after = i64::MIN;
    let mut copied = 0;
    loop {
        let find = match table {
            _ if is_whole => format!("SELECT * FROM {table}"),
            // It has no row ids either, and may be large: it is copied a day at a time.
            "usage" => format!(
                "SELECT day AS copied_place, * FROM {table}
                 WHERE day = (SELECT MIN(day) FROM {table} WHERE day > $1) AND $2 > 0"
            ),
            _ => format!(
                "SELECT rowid AS copied_place, * FROM {table} WHERE rowid > $1 ORDER BY rowid LIMIT $2"
            ),
        };
        let find = sqlx::query(sqlx::AssertSqlSafe(find));
        let rows = match is_whole {
            true => here.all(find)?,
            false => here.all(find.bind(after).bind(AT_ONCE))?,
        };
        for row in &rows {
            if !is_whole {
                after = row.integer("copied_place")?;
            }
            put(there, table, row.values()?)?;
        }
        copied += rows.len();
        if is_whole || rows.is_empty() {
            break;
        }
    }
    if ["audit", "event"].contains(&table) {
        // Its numbers continue after the last.
        let go_on = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'id'), COALESCE(MAX(id), 0) + 1, false) AS n FROM {table}"
        );
        there.one(sqlx::query(sqlx::AssertSqlSafe(go_on)))?;
    }
    Ok(copied)
}

fn put(
    there: &mut Transaction,
    table: &str,
    values: Vec<(String, StoredValue)>,
) -> Result<(), StoreError> {
    // A NULL has a type in PostgreSQL and none here: it is left out, and becomes NULL there.
    let mut values = values;
    values.retain(|(column, value)| column != "copied_place" && *value != StoredValue::Null);
    let columns: Vec<&str> = values.iter().map(|(column, _)| column.as_str()).collect();
    let places: Vec<String> = (1..=values.len())
        .map(|place| format!("${place}"))
        .collect();
    let insert = format!(
        "INSERT INTO {table} ({}) VALUES ({})",
        columns.join(", "),
        places.join(", ")
    );
    let mut statement = sqlx::query(sqlx::AssertSqlSafe(insert));
    for (_, value) in values {
        statement = match value {
            StoredValue::Null => statement,
            StoredValue::Integer(number) => statement.bind(number),
            StoredValue::Text(text) => statement.bind(text),
            StoredValue::Bytes(bytes) => statement.bind(bytes),
        };
    }
    there.run(statement).map(drop)
}
