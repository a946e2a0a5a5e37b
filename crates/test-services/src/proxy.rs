//! A proxy to PostgreSQL that loses an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The fate of the next COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// It is executed; its answer is lost, with the connection.
    AnswerLost,
    /// It is executed; its answer never comes.
    AnswerLate,
    /// It never arrives; the connection breaks off.
    CommitLost,
}

/// Forwards everything, from a port of its own, until the process ends.
pub struct TestProxy {
    url: String,
    next: Arc<Mutex<Option<CommitFault>>>,
}

impl TestProxy {
    /// In front of the server of this URL.
    pub fn start(url: &str) -> Self {
        let (before, rest) = url.split_once('@').expect("a URL with a user");
        let (server, database) = rest.split_once('/').expect("a URL with a database");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("an address");
        let next = Arc::new(Mutex::new(None));
        let (server, faults) = (server.to_owned(), Arc::clone(&next));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // If the server is gone, the client sees its connection end.
                if let Ok(server) = TcpStream::connect(&server) {
                    connect(&client, &server, &faults);
                }
            }
        });
        Self {
            url: format!("{before}@{own}/{database}"),
            next,
        }
    }

    /// The same database through this proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Causes the fault once, from now on.
    pub fn arm(&self, fault: CommitFault) {
        *lock(&self.next) = Some(fault);
    }

    /// Whether it still waits for a COMMIT.
    pub fn is_armed(&self) -> bool {
        lock(&self.next).is_some()
    }
}

fn connect(client: &TcpStream, server: &TcpStream, faults: &Arc<Mutex<Option<CommitFault>>>) {
    let copy = |stream: &TcpStream| stream.try_clone().expect("a stream");
    let (mut from, mut to) = (copy(client), copy(server));
    let (faults, fault) = (Arc::clone(faults), Arc::new(Mutex::new(None)));
    let of_answers = Arc::clone(&fault);
    thread::spawn(move || {
        pass(&mut from, |bytes| {
            if bytes.windows(7).any(|part| part == b"COMMIT\0") {
                let next = lock(&faults).take();
                if next == Some(CommitFault::CommitLost) {
                    return false;
                }
                *lock(&fault) = next;
            }
            to.write_all(bytes).is_ok()
        });
        close(&from, &to);
    });
    let (mut from, mut to) = (copy(server), copy(client));
    thread::spawn(move || {
        pass(&mut from, |bytes| match *lock(&of_answers) {
            None => to.write_all(bytes).is_ok(),
            Some(fault) => fault == CommitFault::AnswerLate,
        });
        close(&from, &to);
    });
}

/// Forwards until nothing comes any more, or `act` stops it.
fn pass(from: &mut TcpStream, mut act: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !act(bytes.get(..count).unwrap_or_default()) {
            return;
        }
    }
}

fn close(one: &TcpStream, other: &TcpStream) {
    for stream in [one, other] {
        // It may be closed already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
