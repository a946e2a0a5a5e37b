//! A database for a single test.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::{ServiceKind, shared};

/// Fresh and empty; removed on drop.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    server: String,
    url: String,
}

impl TestDatabase {
    /// None if there is no such server, which is printed. Blocks.
    pub fn create(kind: ServiceKind) -> Option<Self> {
        shared(kind).map(Self::create_at)
    }

    /// On the server of this URL.
    pub fn create_at(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        act(server, format!("CREATE DATABASE {name}")).expect("a database");
        let (address, options) = match server.split_once('?') {
            Some((address, options)) => (address, format!("?{options}")),
            None => (server, String::new()),
        };
        let (before, _) = address.rsplit_once('/').expect("a URL with a database");
        Self {
            url: format!("{before}/{name}{options}"),
            server: server.to_owned(),
            name,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A server that has ended no longer has it.
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = act(&self.server, drop);
    }
}

/// In a separate thread: the caller's may belong to a runtime, which cannot wait for another.
fn act(server: &str, statement: String) -> Result<(), sqlx::Error> {
    let act = async {
        let mut connection = PgConnection::connect(server).await?;
        connection.execute(AssertSqlSafe(statement)).await?;
        connection.close().await
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime");
            runtime.block_on(act)
        });
        thread.join().expect("ended")
    })
}
