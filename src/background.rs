//! Runs slow work on low-priority threads, so that it does not delay the other calls.
//!
//! A runtime does not share a core between its tasks: a new task waits until every earlier one was polled. The
//! operating system shares a core between threads.

use std::cell::OnceCell;
use std::io;
use std::sync::OnceLock;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

thread_local! {
    /// The runtime that these threads work for. Empty on that runtime's own threads.
    static HOME: OnceCell<Handle> = const { OnceCell::new() };
}

/// How much the priority of the threads is lowered, in steps of `nice`.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// A second runtime with one thread per core. It starts at its first use.
#[derive(Default)]
pub(crate) struct Background {
    /// `None`: the system could not start threads.
    runtime: OnceLock<Option<Runtime>>,
}

impl Background {
    /// The output of `future`, which runs on a low-priority thread. Dropping the returned future
    /// ends it, as if it ran here.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let runtime = self.runtime.get_or_init(|| {
            let started = start(Handle::current());
            let warn = |error| tracing::warn!(%error, "there are no threads for large requests");
            started.map_err(warn).ok()
        });
        match runtime {
            Some(runtime) => join(runtime.spawn(future)).await,
            None => future.await,
        }
    }
}

/// Threads for tasks of the runtime `home`.
fn start(home: Handle) -> io::Result<Runtime> {
    let threads = available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("background")
        .enable_all()
        .on_thread_start(move || {
            HOME.with(|cell| drop(cell.set(home.clone())));
            step_back();
        })
        .build()
}

/// The runtime of normal priority.
pub(crate) fn home() -> Handle {
    let home = HOME.with(|home| home.get().cloned());
    home.unwrap_or_else(Handle::current)
}

/// The output of `future`, which never runs on a low-priority thread: other tasks depend on what it starts, such as a
/// shared connection.
pub(crate) async fn at_home<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    match HOME.with(|home| home.get().cloned()) {
        Some(home) => join(home.spawn(future)).await,
        None => future.await,
    }
}

/// The output of the task. Dropping the returned future ends the task.
async fn join<T>(task: JoinHandle<T>) -> T {
    match AbortOnDropHandle::new(task).await {
        Ok(output) => output,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the runtime cancels the task, and that ends the waiting task too.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Only Linux has a priority for each thread. Elsewhere this would change the whole process.
fn step_back() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        // The system caps larger values at 19.
        let lower = getpriority_process(None).map(|own| own + NICE);
        if let Err(error) = lower.and_then(|nice| setpriority_process(None, nice)) {
            tracing::debug!(%error, "background threads do not step back");
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // A task may drop this, and a task must not block on threads.
        if let Some(runtime) = self.runtime.take().flatten() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn other_tasks_go_on_meanwhile() {
        let background = Background::default();
        let apart = tokio::spawn(async move {
            let slow = async {
                std::thread::sleep(Duration::from_millis(200));
                7
            };
            background.run(slow).await
        });
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let others = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(1)).await;
            }
        });
        assert_eq!(apart.await.expect("a number"), 7);
        others.abort();
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns > 20, "{turns} turns in 200 ms");
    }

    #[tokio::test]
    async fn work_ends_with_its_waiter() {
        let (told, ended) = oneshot::channel::<()>();
        let background = Background::default();
        let waiting = background.run(async move {
            let _told = told;
            sleep(Duration::from_secs(60)).await;
        });
        let waited = timeout(Duration::from_millis(50), waiting).await;
        assert!(waited.is_err());
        let ended = timeout(Duration::from_secs(5), ended).await;
        assert!(ended.expect("dropped").is_err());
    }

    #[tokio::test]
    async fn work_that_others_wait_for_keeps_its_priority() {
        async fn nice() -> i32 {
            rustix::process::getpriority_process(None).expect("a priority")
        }
        let background = Background::default();
        let own = nice().await;
        let (apart, home) = background
            .run(async { (nice().await, at_home(nice()).await) })
            .await;
        assert_eq!(home, own);
        #[cfg(target_os = "linux")]
        assert_eq!(apart, (own + NICE).min(19));
        #[cfg(not(target_os = "linux"))]
        assert_eq!(apart, own);
    }
}
