//! The log on stderr, written many lines at a time.
//!
//! One write a line costs a system call and a wake of whoever reads: a tenth of a call's CPU time.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use crate::config::{Log, LogFormat};

/// Longest time that a line waits.
const PAUSE: Duration = Duration::from_millis(20);

/// From so many bytes on who writes a line waits until the others are out: a reader that is slow slows the server
/// down, but takes no memory and loses no line.
const FULL: usize = 1 << 20;

/// There is one stderr, so there is one buffer before it.
static STDERR: OnceLock<Buffered> = OnceLock::new();

/// Starts logging; a second call changes nothing.
pub fn start(settings: &Log) -> Result<(), String> {
    if STDERR.get().is_some() {
        return Ok(());
    }
    let buffered = Buffered::start().map_err(|error| format!("the log has no thread: {error}"))?;
    let writer = STDERR.get_or_init(|| buffered).clone();
    // Below `warn` the libraries say what they do with every request, which is not for this log.
    let level: LevelFilter = settings
        .level
        .name()
        .parse()
        .map_err(|error| format!("{error}"))?;
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("highlevel_mcp", level);
    let is_terminal = io::stderr().is_terminal();
    let as_json = match settings.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let layer = fmt::layer().with_ansi(is_terminal).with_writer(writer);
    let layer = if as_json {
        let layer = layer.json().flatten_event(true);
        layer.with_current_span(false).with_span_list(false).boxed()
    } else {
        layer.with_target(false).boxed()
    };
    let _ = registry().with(layer.with_filter(filter)).try_init();
    Ok(())
}

/// Writes the lines that wait: before the process ends.
pub fn flush() {
    if let Some(buffered) = STDERR.get() {
        buffered.flush();
    }
}

/// Cheap to clone; every clone writes to the same buffer.
#[derive(Clone)]
struct Buffered(Arc<Shared>);

struct Shared {
    lines: Mutex<Vec<u8>>,
    /// There are lines where there were none.
    some: Condvar,
    /// Held while lines are written, so that they stay in order.
    out: Mutex<()>,
}

/// One event's line: goes to the buffer whole.
struct Line<'a>(&'a Buffered);

impl Buffered {
    /// Starts the thread that writes.
    fn start() -> io::Result<Self> {
        let buffered = Self(Arc::new(Shared {
            lines: Mutex::default(),
            some: Condvar::new(),
            out: Mutex::default(),
        }));
        let writer = buffered.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                loop {
                    writer.wait();
                    thread::sleep(PAUSE);
                    writer.flush();
                }
            })?;
        Ok(buffered)
    }

    /// Writes what there is. Nobody is told where stderr cannot be written: there is no other place.
    fn flush(&self) {
        let _out = self.0.out.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut *self.lines());
        let _ = io::stderr().write_all(&lines);
    }

    fn wait(&self) {
        let lines = self.lines();
        let woken = self.0.some.wait_while(lines, |lines| lines.is_empty());
        drop(woken.unwrap_or_else(PoisonError::into_inner));
    }

    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lines();
        let first = lines.is_empty();
        lines.extend_from_slice(bytes);
        let full = lines.len() > FULL;
        drop(lines);
        if first {
            self.0.0.some.notify_one();
        }
        if full {
            self.0.flush();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Buffered {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self)
    }
}
