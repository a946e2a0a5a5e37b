//! The log on stderr. A separate thread writes lines in batches; lines that nobody reads are dropped and counted.
//!
//! One write per line costs a system call and wakes the reader: a tenth of a call's CPU time. At 5,000 lines a second
//! the library alone takes 8 µs of CPU per line; with a pause after each batch it is 1.3 µs.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use super::line::HumanLine;
use crate::config::{Log, LogFormat};

/// Longest time that a line waits for others.
const PAUSE: Duration = Duration::from_millis(20);

/// Most waiting lines and bytes. Further ones are dropped. At 5,000 lines a second this bridges a reader's pause of a
/// second.
const MOST_LINES: usize = 4096;
const MOST_BYTES: usize = 1 << 20;

/// Longest time that the end of the process waits for a reader.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// The only writer to stderr. Its guard is kept to the end of the process: if dropped before a full pipe, it would
/// write to stdout, which is for MCP frames.
static STDERR: OnceLock<(LineSender, WorkerGuard)> = OnceLock::new();

/// Starts logging; a second call changes nothing.
pub(super) fn start(settings: &Log) -> Result<(), String> {
    if STDERR.get().is_some() {
        return Ok(());
    }
    // Below `warn` the libraries log every request, which is not for this log.
    let level: LevelFilter = settings
        .level
        .name()
        .parse()
        .map_err(|error| format!("{error}"))?;
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        // rmcp warns of every error that a client gets, in its own types. Each has a line of ours.
        .with_target("rmcp", LevelFilter::ERROR)
        .with_target("highlevel_mcp", level)
        .with_target("state", level);
    let is_terminal = io::stderr().is_terminal();
    let as_json = match settings.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let (writer, _) = STDERR.get_or_init(|| LineSender::start(io::stderr()));
    let layer = fmt::layer()
        .with_ansi(is_terminal)
        .with_writer(writer.clone());
    let layer = if as_json {
        let layer = layer.json().flatten_event(true);
        layer.with_current_span(false).with_span_list(false).boxed()
    } else {
        layer.event_format(HumanLine { is_terminal }).boxed()
    };
    let _ = registry().with(layer.with_filter(filter)).try_init();
    Ok(())
}

/// Writes the waiting lines, before the process ends. Gives up if the reader does not read.
pub fn flush() {
    if let Some((writer, _)) = STDERR.get() {
        writer.flush(LAST_PAUSE);
    }
}

/// The number of dropped lines since the start of the process.
pub(super) fn dropped_lines() -> usize {
    let writer = STDERR.get();
    writer.map_or(0, |(writer, _)| writer.dropped())
}

/// Accepts lines and never waits. Cheap to clone; every clone sends to the same thread.
#[derive(Clone)]
struct LineSender {
    sender: NonBlocking,
    /// Counts lines that the full channel dropped.
    overflow: ErrorCounter,
    tally: Arc<Tally>,
}

/// Counters that both sides of the channel share.
#[derive(Default)]
struct Tally {
    sent: AtomicUsize,
    written: AtomicUsize,
    /// Bytes of unwritten lines.
    waiting: AtomicUsize,
    /// Lines that were dropped because of their bytes.
    dropped: AtomicUsize,
    /// The thread that writes.
    writer: OnceLock<Thread>,
    /// The last flush ended because the reader did not take the lines in time.
    is_stuck: AtomicBool,
}

/// The thread's writer. It collects lines during a pause after each flush.
struct BatchWriter<W: Write> {
    out: BufWriter<W>,
    tally: Arc<Tally>,
    /// Unflushed lines in `out`.
    taken: usize,
    bytes: usize,
    /// Dropped lines that the log already mentions.
    noted: usize,
}

impl LineSender {
    fn start<W: Write + Send + 'static>(out: W) -> (Self, WorkerGuard) {
        let tally = Arc::<Tally>::default();
        let writer = BatchWriter {
            out: BufWriter::with_capacity(1 << 16, out),
            tally: Arc::clone(&tally),
            taken: 0,
            bytes: 0,
            noted: 0,
        };
        let builder = NonBlockingBuilder::default()
            .buffered_lines_limit(MOST_LINES)
            .lossy(true)
            .thread_name("log");
        let (sender, guard) = builder.finish(writer);
        let overflow = sender.error_counter();
        let this = Self {
            sender,
            overflow,
            tally,
        };
        (this, guard)
    }

    fn dropped(&self) -> usize {
        self.overflow.dropped_lines() + self.tally.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every accepted line is written, for at most `longest`.
    fn flush(&self, longest: Duration) {
        let started = Instant::now();
        let tally = &self.tally;
        let is_done = || {
            let gone = tally.written.load(Ordering::Acquire) + self.overflow.dropped_lines();
            gone >= tally.sent.load(Ordering::Acquire)
        };
        while !is_done() {
            // Once is enough: the end of a process flushes more than once.
            let is_stuck = started.elapsed() >= longest;
            if tally.is_stuck.fetch_or(is_stuck, Ordering::Relaxed) || is_stuck {
                return;
            }
            if let Some(writer) = tally.writer.get() {
                writer.unpark();
            }
            thread::sleep(Duration::from_millis(1));
        }
        tally.is_stuck.store(false, Ordering::Relaxed);
    }

    /// Sends the whole line of one event.
    fn send(&self, line: &[u8]) {
        let waiting = self.tally.waiting.load(Ordering::Relaxed);
        if waiting + line.len() > MOST_BYTES {
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.tally.waiting.fetch_add(line.len(), Ordering::Relaxed);
        self.tally.sent.fetch_add(1, Ordering::Release);
        let before = self.overflow.dropped_lines();
        // It never fails, but counts what it drops.
        let _ = self.sender.clone().write(line);
        if self.overflow.dropped_lines() > before {
            // Another thread's line may have been dropped at the same moment: then the counter is a little too low.
            let less = |waiting: usize| Some(waiting.saturating_sub(line.len()));
            let _ = self
                .tally
                .waiting
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

/// Receives one event's line.
struct LineWriter<'a>(&'a LineSender);

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.send(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineSender {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter(self)
    }
}

impl<W: Write> Write for BatchWriter<W> {
    /// If stderr cannot be written, there is no other place to report it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.out.write_all(line);
        self.taken += 1;
        self.bytes += line.len();
        Ok(line.len())
    }

    /// Lines that arrive during the pause are written together, and wake nobody.
    fn flush(&mut self) -> io::Result<()> {
        let _ = self.out.flush();
        let tally = &self.tally;
        let bytes = std::mem::take(&mut self.bytes);
        let less = |waiting: usize| Some(waiting.saturating_sub(bytes));
        let _ = tally
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        tally.writer.get_or_init(thread::current);
        let taken = std::mem::take(&mut self.taken);
        tally.written.fetch_add(taken, Ordering::Release);
        let dropped = dropped_lines();
        let lines = dropped.saturating_sub(self.noted);
        if lines > 0 {
            self.noted = dropped;
            tracing::warn!(
                lines,
                "lines of the log were dropped, because the reader of stderr is too slow"
            );
        }
        thread::park_timeout(PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps what is written, and blocks while the gate is held.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<Vec<u8>>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("the gate").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Sends `lines` of `length` bytes while nobody reads, and counts those that arrive later.
    fn check(lines: usize, length: usize, most: usize) {
        let pipe = Pipe::default();
        let (sender, _guard) = LineSender::start(pipe.clone());
        let line = vec![b'x'; length];
        let gate = pipe.0.lock().expect("the gate");
        let started = Instant::now();
        for _ in 0..lines {
            sender.send(&line);
        }
        sender.flush(Duration::from_millis(50));
        assert!(started.elapsed() < Duration::from_secs(2), "it waited");
        drop(gate);
        sender.tally.is_stuck.store(false, Ordering::Relaxed);
        sender.flush(Duration::from_secs(5));
        let written = pipe.0.lock().expect("the gate").len() / length;
        assert_eq!(
            written + sender.dropped(),
            lines,
            "each is written or counted"
        );
        assert!(written <= most, "{written} lines waited");
        assert_eq!(sender.tally.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted() {
        check(100, 100, 100);
        // Bytes in the buffer before the pipe have left the channel.
        check(20_000, 100, MOST_LINES + 2 * (1 << 16) / 100);
        check(1_000, 10_000, MOST_BYTES / 10_000);
    }

    #[test]
    fn lines_that_are_read_keep_their_order() {
        let pipe = Pipe::default();
        let (sender, _guard) = LineSender::start(pipe.clone());
        let mut expected = String::new();
        for index in 0..1_000 {
            let line = format!("{index}\n");
            sender.send(line.as_bytes());
            expected.push_str(&line);
        }
        sender.flush(Duration::from_secs(5));
        let written = pipe.0.lock().expect("the gate").clone();
        assert_eq!(String::from_utf8(written).expect("text"), expected);
        assert_eq!(sender.dropped(), 0);
    }

    #[test]
    fn many_lines_are_one_write() {
        #[derive(Clone, Default)]
        struct Writes(Arc<AtomicUsize>);

        impl Write for Writes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.fetch_add(1, Ordering::Relaxed);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let writes = Writes::default();
        let (sender, _guard) = LineSender::start(writes.clone());
        let started = Instant::now();
        for _ in 0..2_000 {
            sender.send(b"one line of a call\n");
            thread::sleep(Duration::from_micros(50));
        }
        let pauses = started.elapsed().as_millis() / PAUSE.as_millis();
        let writes = writes.0.load(Ordering::Relaxed) as u128;
        assert!(writes <= pauses + 2, "{writes} writes in {pauses} pauses");
    }
}
