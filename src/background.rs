//! Runs what may take its time on threads that step back for everybody else's.
//!
//! A runtime does not share a core out between its tasks: whoever comes next waits until each of them was polled. The
//! system does, between threads.

use std::cell::OnceCell;
use std::io;
use std::sync::OnceLock;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

thread_local! {
    /// The runtime that these threads work for; empty on its own threads.
    static HOME: OnceCell<Handle> = const { OnceCell::new() };
}

/// How far the threads step back, in steps of `nice`.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// A second runtime, of one thread a core, which starts when it is needed first.
#[derive(Default)]
pub(crate) struct Background {
    /// `None`: the system gives no threads.
    runtime: OnceLock<Option<Runtime>>,
}

impl Background {
    /// What `future` gives. It ends when this one is dropped, as if it ran here.
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

/// The runtime whose threads do not step back.
pub(crate) fn home() -> Handle {
    let home = HOME.with(|home| home.get().cloned());
    home.unwrap_or_else(Handle::current)
}

/// What `future` gives, which runs on no thread that steps back: others wait for what it begins, such as a connection
/// that they share.
pub(crate) async fn at_home<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    match HOME.with(|home| home.get().cloned()) {
        Some(home) => join(home.spawn(future)).await,
        None => future.await,
    }
}

/// What the task gives, which ends when nobody waits for it.
async fn join<T>(task: JoinHandle<T>) -> T {
    match AbortOnDropHandle::new(task).await {
        Ok(output) => output,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that ends takes the task away, and whoever waited with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Only Linux has a priority for each thread; elsewhere it would be the whole process's.
fn step_back() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        // The system takes 19 for whatever is more.
        let lower = getpriority_process(None).map(|own| own + NICE);
        if let Err(error) = lower.and_then(|nice| setpriority_process(None, nice)) {
            tracing::debug!(%error, "background threads do not step back");
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may be dropped by a task, which must not wait for threads.
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
    async fn it_ends_with_whoever_waits() {
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
    async fn what_others_wait_for_runs_at_home() {
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
