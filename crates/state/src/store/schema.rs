//! The tables, and the migrations of databases of earlier versions.
//!
//! A version first adds (expand); a later one removes what is no longer needed (contract), so that two versions side by
//! side can use one file. `min_reader` is the oldest version of the tables whose program may still use them.

use super::rows::Transaction;
use crate::StoreError;

/// Statements from one version of the tables to the next.
struct Migration {
    /// The oldest version whose program can use the tables afterwards.
    min_reader: i64,
    statements: &'static [&'static str],
}

/// In order: the first creates version 1.
const MIGRATIONS: &[Migration] = &[
    FIRST,
    QUESTIONS,
    PREPARED,
    STRANGER_READS,
    SIGN_IN,
    RULE_SECTIONS,
    KEY_USE,
    PASSKEYS,
    INSTANCES,
    USAGE,
];

const FIRST: Migration = Migration {
    min_reader: 1,
    statements: &[
        "CREATE TABLE secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
        "CREATE TABLE revision (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT",
        "INSERT INTO revision (id, n) VALUES (1, 1)",
        "CREATE TABLE access_key (id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, name TEXT NOT NULL, locations TEXT NOT NULL,
            policy TEXT, agency INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER,
            ended_at INTEGER) STRICT",
        "CREATE TABLE pause (location TEXT PRIMARY KEY, reason TEXT, since INTEGER NOT NULL) STRICT",
        "CREATE TABLE approval (id TEXT PRIMARY KEY, digest TEXT NOT NULL, who TEXT NOT NULL, tool TEXT NOT NULL,
            effect TEXT NOT NULL, location TEXT, alias TEXT, state TEXT NOT NULL, created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL, decided_at INTEGER, decided_by TEXT, claimed_at INTEGER,
            is_error INTEGER NOT NULL, note TEXT, locations TEXT NOT NULL, shown TEXT NOT NULL, request BLOB,
            outcome BLOB) STRICT",
        "CREATE INDEX approval_by_state ON approval (state, expires_at)",
        "CREATE INDEX approval_by_digest ON approval (digest)",
        "CREATE TABLE once (id BLOB PRIMARY KEY, kind TEXT NOT NULL, principal BLOB NOT NULL, call BLOB NOT NULL,
            state TEXT NOT NULL, sealed BLOB, bytes INTEGER NOT NULL, alive_until INTEGER NOT NULL,
            expires_at INTEGER NOT NULL) STRICT",
        "CREATE INDEX once_by_principal ON once (principal, kind, bytes)",
        "CREATE INDEX once_by_end ON once (expires_at)",
        "CREATE TABLE cap (bucket BLOB NOT NULL, moment INTEGER NOT NULL, n INTEGER NOT NULL, expires_at INTEGER NOT NULL,
            PRIMARY KEY (bucket, moment)) STRICT, WITHOUT ROWID",
        "CREATE INDEX cap_by_end ON cap (expires_at)",
        "CREATE TABLE credential (id TEXT PRIMARY KEY, generation INTEGER NOT NULL, sealed BLOB NOT NULL,
            attempt_at INTEGER, lease_owner TEXT, lease_until INTEGER, source TEXT NOT NULL) STRICT",
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, line TEXT NOT NULL) STRICT",
        "CREATE INDEX audit_by_time ON audit (at)",
    ],
};

/// Questions to people at clients.
const QUESTIONS: Migration = Migration {
    min_reader: 1,
    statements: &[
        "CREATE TABLE question (id TEXT PRIMARY KEY, principal BLOB NOT NULL, call TEXT NOT NULL,
            expires_at INTEGER NOT NULL, answer TEXT) STRICT",
    ],
};

/// Previewed requests.
const PREPARED: Migration = Migration {
    min_reader: 1,
    statements: &[
        "CREATE TABLE prepared (id TEXT PRIMARY KEY, principal BLOB NOT NULL, request BLOB NOT NULL,
            bytes INTEGER NOT NULL, mode TEXT, agreed_by TEXT, created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL) STRICT",
        "CREATE INDEX prepared_by_principal ON prepared (principal, created_at)",
        "CREATE INDEX prepared_by_end ON prepared (expires_at)",
    ],
};

/// The callers that last read other people's words, with the time.
const STRANGER_READS: Migration = Migration {
    min_reader: 1,
    statements: &[
        "CREATE TABLE stranger_read (principal BLOB PRIMARY KEY, at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL) STRICT",
        "CREATE INDEX stranger_read_by_end ON stranger_read (expires_at)",
    ],
};

/// People, their sessions, clients, grants, and the locations that people connect.
const SIGN_IN: Migration = Migration {
    min_reader: 1,
    statements: &[
        "ALTER TABLE approval ADD COLUMN holder_decides INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE person (id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, all_locations INTEGER NOT NULL,
            approves_all INTEGER NOT NULL, policy TEXT, may_vault INTEGER NOT NULL, highlevel_user TEXT UNIQUE, invited_by TEXT,
            created_at INTEGER NOT NULL, seen_at INTEGER, ended_at INTEGER) STRICT",
        "CREATE TABLE person_location (person TEXT NOT NULL, alias TEXT NOT NULL, policy TEXT, may_approve INTEGER NOT NULL,
            PRIMARY KEY (person, alias)) STRICT",
        "CREATE TABLE session (hash BLOB PRIMARY KEY, person TEXT NOT NULL, created_at INTEGER NOT NULL,
            seen_at INTEGER NOT NULL, proof_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, agent TEXT) STRICT",
        "CREATE INDEX session_by_person ON session (person)",
        "CREATE INDEX session_by_end ON session (expires_at)",
        "CREATE TABLE link (hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, person TEXT,
            offer TEXT NOT NULL, uses_left INTEGER NOT NULL, created_by TEXT, created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL, ended_at INTEGER) STRICT",
        "CREATE INDEX link_by_end ON link (expires_at)",
        "CREATE TABLE client (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, redirects TEXT NOT NULL,
            method TEXT NOT NULL, secret_hash BLOB, document TEXT, fetched_at INTEGER, fresh_until INTEGER,
            created_at INTEGER NOT NULL, used_at INTEGER, expires_at INTEGER, blocked_at INTEGER) STRICT",
        "CREATE INDEX client_by_end ON client (expires_at)",
        "CREATE TABLE oauth_grant (id TEXT PRIMARY KEY, person TEXT, access_key TEXT, client TEXT NOT NULL,
            client_name TEXT NOT NULL, redirect TEXT NOT NULL, resource TEXT NOT NULL, scope TEXT NOT NULL,
            rules TEXT NOT NULL, salt BLOB NOT NULL, seq INTEGER NOT NULL, current BLOB UNIQUE,
            created_at INTEGER NOT NULL, used_at INTEGER, idle_until INTEGER NOT NULL, hard_until INTEGER NOT NULL,
            ended_at INTEGER, ended_why TEXT) STRICT",
        "CREATE INDEX grant_by_person ON oauth_grant (person)",
        "CREATE INDEX grant_by_key ON oauth_grant (access_key)",
        "CREATE INDEX grant_by_client ON oauth_grant (client)",
        "CREATE INDEX grant_by_end ON oauth_grant (ended_at) WHERE ended_at IS NOT NULL",
        "CREATE TABLE grant_location (grant_id TEXT NOT NULL, alias TEXT NOT NULL, PRIMARY KEY (grant_id, alias)) STRICT",
        "CREATE TABLE code (hash BLOB PRIMARY KEY, grant_id TEXT NOT NULL, redirect TEXT NOT NULL, challenge TEXT NOT NULL,
            expires_at INTEGER NOT NULL, used_at INTEGER) STRICT",
        "CREATE INDEX code_by_end ON code (expires_at)",
        "CREATE TABLE retired (hash BLOB PRIMARY KEY, grant_id TEXT NOT NULL, retired_at INTEGER NOT NULL,
            uses INTEGER NOT NULL) STRICT",
        "CREATE INDEX retired_by_grant ON retired (grant_id)",
        "CREATE TABLE access (hash BLOB PRIMARY KEY, grant_id TEXT NOT NULL, scope TEXT NOT NULL,
            expires_at INTEGER NOT NULL) STRICT",
        "CREATE INDEX access_by_grant ON access (grant_id)",
        "CREATE INDEX access_by_end ON access (expires_at)",
        "CREATE TABLE flow (hash BLOB PRIMARY KEY, browser BLOB NOT NULL, step TEXT NOT NULL, sealed BLOB NOT NULL,
            expires_at INTEGER NOT NULL) STRICT",
        "CREATE INDEX flow_by_browser ON flow (browser)",
        "CREATE INDEX flow_by_end ON flow (expires_at)",
        "CREATE TABLE vault_credential (id TEXT PRIMARY KEY, kind TEXT NOT NULL, fingerprint BLOB NOT NULL UNIQUE,
            company TEXT, generation INTEGER NOT NULL, sealed BLOB, status TEXT NOT NULL,
            status_at INTEGER NOT NULL, owner TEXT, created_at INTEGER NOT NULL) STRICT",
        "CREATE TABLE location (id TEXT PRIMARY KEY, alias TEXT NOT NULL, location TEXT NOT NULL, credential TEXT NOT NULL,
            owner TEXT, name TEXT NOT NULL, zone TEXT, created_at INTEGER NOT NULL, ended_at INTEGER) STRICT",
        "CREATE UNIQUE INDEX location_by_alias ON location (alias) WHERE ended_at IS NULL",
        "CREATE INDEX location_by_credential ON location (credential)",
        "CREATE TABLE login (server TEXT PRIMARY KEY, generation INTEGER NOT NULL, sealed BLOB NOT NULL,
            lease_until INTEGER, created_at INTEGER NOT NULL) STRICT",
        "CREATE TABLE notice (hash BLOB PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT",
        "CREATE INDEX notice_by_end ON notice (expires_at)",
        "CREATE TABLE customer (link TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, builder TEXT NOT NULL,
            reference TEXT NOT NULL, return_url TEXT NOT NULL, rules TEXT NOT NULL, created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL, location TEXT, owns_location INTEGER NOT NULL, connected_at INTEGER,
            code BLOB UNIQUE, code_until INTEGER, access_key TEXT, ended_at INTEGER) STRICT",
        "CREATE INDEX customer_by_reference ON customer (builder, reference)",
        "CREATE INDEX customer_by_location ON customer (location)",
        "CREATE INDEX customer_by_end ON customer (expires_at)",
        "ALTER TABLE access_key ADD COLUMN rules TEXT",
        "ALTER TABLE access_key ADD COLUMN return_urls TEXT",
        "CREATE TABLE event (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT, subject TEXT,
            detail TEXT NOT NULL) STRICT",
        "CREATE INDEX event_by_time ON event (at)",
    ],
};

/// Sections of rules, with their earlier versions.
const RULE_SECTIONS: Migration = Migration {
    min_reader: 1,
    statements: &[
        "CREATE TABLE rule_section (name TEXT NOT NULL, version INTEGER NOT NULL, text TEXT, by TEXT NOT NULL,
            at INTEGER NOT NULL, PRIMARY KEY (name, version)) STRICT",
    ],
};

/// The time of each key's last use.
const KEY_USE: Migration = Migration {
    min_reader: 1,
    statements: &["ALTER TABLE access_key ADD COLUMN used_at INTEGER"],
};

/// Passkeys, and the sessions that they begin, which may be idle for longer than two hours.
const PASSKEYS: Migration = Migration {
    min_reader: 1,
    statements: &[
        "CREATE TABLE passkey (id BLOB PRIMARY KEY, person TEXT NOT NULL, name TEXT NOT NULL, credential TEXT NOT NULL,
            created_at INTEGER NOT NULL, asked_at INTEGER NOT NULL, used_at INTEGER) STRICT",
        "CREATE INDEX passkey_by_person ON passkey (person)",
        "ALTER TABLE session ADD COLUMN idle_ms INTEGER NOT NULL DEFAULT 7200000",
    ],
};

/// Servers on one database, and HighLevel's verdicts on tokens to each of them.
const INSTANCES: Migration = Migration {
    min_reader: 1,
    statements: &[
        "CREATE TABLE token_fact (token BLOB NOT NULL, kind TEXT NOT NULL, location TEXT NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (token, kind, location)) STRICT",
        "CREATE INDEX token_fact_by_time ON token_fact (at)",
        "CREATE TABLE instance (id TEXT PRIMARY KEY, version TEXT NOT NULL, schema INTEGER NOT NULL, rules TEXT NOT NULL,
            started_at INTEGER NOT NULL, beat_at INTEGER NOT NULL) STRICT",
    ],
};

/// Calls by day, and each process's last written counts. A day is the number of days since 1970-01-01, in UTC; the
/// caller has the audit's name; a location is HighLevel's id.
const USAGE: Migration = Migration {
    min_reader: 1,
    statements: &[
        "CREATE TABLE usage (day INTEGER NOT NULL, principal TEXT NOT NULL, location TEXT NOT NULL, effect TEXT NOT NULL,
            calls INTEGER NOT NULL, failed INTEGER NOT NULL, requests INTEGER NOT NULL,
            PRIMARY KEY (day, principal, location, effect)) STRICT, WITHOUT ROWID",
        "CREATE TABLE usage_writer (id BLOB PRIMARY KEY, part INTEGER NOT NULL, at INTEGER NOT NULL) STRICT",
    ],
};

/// The version of the tables that this program creates.
pub(crate) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The names of all tables, in the order of their creation.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    let statements = MIGRATIONS.iter().flat_map(|migration| migration.statements);
    let made = statements.filter_map(|statement| statement.strip_prefix("CREATE TABLE "));
    made.filter_map(|rest| rest.split_whitespace().next())
}

/// Creates what is missing. Returns whether that was everything. A database of a later version is used if it allows
/// this one.
pub(super) fn bring_up_to_date(transaction: &mut Transaction) -> Result<bool, StoreError> {
    transaction.define(
        "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    )?;
    // Changes nothing, and fails if the file is read-only: otherwise SQLite would only report that at the first change.
    transaction.define("DELETE FROM meta WHERE name = ''")?;
    let present = number(transaction, "schema")?.unwrap_or(0);
    if present > newest() {
        let least = number(transaction, "min_reader")?.unwrap_or(present);
        if least > newest() {
            return Err(StoreError::from(format!(
                "the store was written by a later version (tables {present}, this program knows {}); install that \
                 version, or restore the backup from before",
                newest()
            )));
        }
        return Ok(false);
    }
    for (migration, version) in MIGRATIONS
        .iter()
        .zip(1..)
        .skip_while(|(_, version)| *version <= present)
    {
        for statement in migration.statements {
            transaction.define(statement)?;
        }
        put(transaction, "schema", &i64::to_string(&version))?;
        put(transaction, "min_reader", &migration.min_reader.to_string())?;
    }
    Ok(present == 0)
}

/// Increases with every change of keys and pauses.
pub(super) fn revision(transaction: &mut Transaction) -> Result<i64, StoreError> {
    let row = transaction.one(sqlx::query("SELECT n FROM revision"))?;
    row.map_or(Ok(0), |row| row.integer("n"))
}

/// A fact about the database.
pub(crate) fn meta(
    transaction: &mut Transaction,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let row = transaction.one(sqlx::query("SELECT value FROM meta WHERE name = $1").bind(name))?;
    row.map(|row| row.text("value")).transpose()
}

pub(crate) fn put(
    transaction: &mut Transaction,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    let put = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2";
    transaction
        .run(sqlx::query(put).bind(name).bind(value))
        .map(drop)
}

pub(super) fn number(transaction: &mut Transaction, name: &str) -> Result<Option<i64>, StoreError> {
    Ok(meta(transaction, name)?.and_then(|value| value.parse().ok()))
}
