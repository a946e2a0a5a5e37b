//! Runs what a large request takes on a thread of its own.
//!
//! To read a megabyte of JSON takes milliseconds, in which a worker of the runtime does nothing else, and whoever waits
//! for it stands in line. The system shares a core out between threads, the runtime does not between tasks.

use std::panic::resume_unwind;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// Requests from so many bytes on: smaller ones are read in a fraction of a millisecond.
pub const LARGE: usize = 64 << 10;

/// What `future` gives. It ends when this one is dropped, as if it ran here. There are no more threads than calls:
/// `future` holds the place of one.
pub async fn run_apart<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (here, gone) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let apart = spawn_blocking(move || {
        runtime.block_on(async {
            tokio::select! {
                output = future => Some(output),
                _ = gone => None,
            }
        })
    });
    let output = apart.await;
    drop(here);
    match output {
        Ok(Some(output)) => output,
        // Only a runtime that ends takes the thread away, and whoever waited with it.
        Ok(None) => std::future::pending().await,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn other_tasks_go_on_meanwhile() {
        let apart = tokio::spawn(run_apart(async {
            std::thread::sleep(Duration::from_millis(200));
            7
        }));
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
        let waiting = run_apart(async move {
            let _told = told;
            sleep(Duration::from_secs(60)).await;
        });
        let waited = timeout(Duration::from_millis(50), waiting).await;
        assert!(waited.is_err());
        let ended = timeout(Duration::from_secs(5), ended).await;
        assert!(ended.expect("dropped").is_err());
    }
}
