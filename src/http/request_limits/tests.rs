//! Whose share a request's bytes are charged to, and for how long.

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::post;
use tower::ServiceExt;

use super::*;
use crate::config::{Config, Flags};

const KIB: usize = 1 << 10;

/// A body of this many bytes, which ends or does not.
struct Sending {
    bytes: usize,
    ends: bool,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match (std::mem::take(&mut self.bytes), self.ends) {
            (0, true) => Poll::Ready(None),
            (0, false) => Poll::Pending,
            (bytes, _) => Poll::Ready(Some(Ok(Frame::data(vec![b' '; bytes].into())))),
        }
    }
}

fn intake() -> Arc<Intake> {
    let config = Config::from_sources(&Flags::default(), []).expect("defaults");
    let shares = Shares::new(&config.server, Duration::from_secs(3));
    Arc::new(Intake::new(&config.server, shares))
}

fn address(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([10, 0, 0, last]))
}

async fn answered_on() -> ([(&'static str, String); 1], &'static str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default().to_owned();
    ([("x-thread", name)], "done")
}

async fn answer(intake: &Arc<Intake>, newcomer: Option<Option<IpAddr>>, body: Sending) -> Response {
    let intake = Arc::clone(intake);
    let pass = from_fn(move |request: Request, next: Next| {
        let intake = Arc::clone(&intake);
        async move {
            let id = PrincipalId::Token([1; 32]);
            let who = ShareHolder { id, newcomer };
            intake.pass(request, &who, next).await
        }
    });
    let router = Router::new().route("/", post(answered_on));
    let request = Request::post("/").body(Body::new(body));
    let answered = router.layer(pass).oneshot(request.expect("a request"));
    answered.await.expect("an answer")
}

/// The thread that answers a request, while its caller and another one hold these numbers of places.
async fn thread(newcomer: Option<Option<IpAddr>>, bytes: usize, places: usize) -> String {
    let intake = intake();
    let id = PrincipalId::Token([1; 32]);
    let mut held = Vec::new();
    for _ in 0..places {
        held.push(intake.shares.enter(&id, None).await.expect("a place"));
    }
    let other = PrincipalId::Token([2; 32]);
    held.push(intake.shares.enter(&other, None).await.expect("a place"));
    let body = Sending { bytes, ends: true };
    let answer = answer(&intake, newcomer, body).await;
    let name = answer.headers().get("x-thread").expect("a name");
    name.to_str().expect("a text").to_owned()
}

#[tokio::test]
async fn much_and_unknown_work_steps_back() {
    async fn check(newcomer: Option<Option<IpAddr>>, bytes: usize, places: usize, back: bool) {
        let thread = thread(newcomer, bytes, places).await;
        let expected = format!("{newcomer:?}, {bytes} bytes, {places} places: on {thread}");
        assert_eq!(thread == "background", back, "{expected}");
    }
    check(None, KIB, 0, false).await;
    check(None, LARGE - 1, 3, false).await;
    check(None, LARGE, 0, true).await;
    check(Some(None), KIB, 0, true).await;
    check(None, KIB, 4, true).await;
}

#[tokio::test]
async fn a_body_has_its_most() {
    async fn check(newcomer: Option<Option<IpAddr>>, bytes: usize, expected: u16) {
        let body = Sending { bytes, ends: true };
        let status = answer(&intake(), newcomer, body).await.status();
        assert_eq!(status.as_u16(), expected, "{newcomer:?} {bytes}");
    }
    check(None, 300 * KIB, 200).await;
    check(None, 4096 * KIB, 200).await;
    check(None, 4096 * KIB + 1, 413).await;
    check(None, 40 << 20, 413).await;
    check(Some(None), 256 * KIB, 200).await;
    check(Some(None), 256 * KIB + 1, 413).await;
}

#[tokio::test(start_paused = true)]
async fn bodies_that_never_end_cost_their_own_address() {
    let intake = intake();
    let unfinished: Vec<_> = (0..16)
        .map(|_| {
            let intake = Arc::clone(&intake);
            tokio::spawn(async move {
                let body = Sending {
                    bytes: 256 * KIB,
                    ends: false,
                };
                answer(&intake, Some(address(1)), body).await.status()
            })
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(intake.shares.budget().used(), 4096 * KIB);
    let small = || Sending {
        bytes: KIB,
        ends: true,
    };
    let refused = answer(&intake, Some(address(1)), small()).await;
    assert_eq!(refused.status().as_u16(), 503);
    assert_eq!(refused.headers().get("retry-after"), Some(&SOON));
    for newcomer in [Some(address(2)), Some(None), None] {
        let status = answer(&intake, newcomer, small()).await.status();
        assert_eq!(status.as_u16(), 200, "{newcomer:?}");
    }
    for one in unfinished {
        assert_eq!(one.await.expect("ended").as_u16(), 408);
    }
    assert_eq!(intake.shares.budget().used(), 0);
}

#[tokio::test]
async fn bytes_are_held_until_the_answer_is_sent() {
    let intake = intake();
    let body = Sending {
        bytes: 100 * KIB,
        ends: true,
    };
    let response = answer(&intake, None, body).await;
    assert_eq!(response.body().size_hint().exact(), Some(4));
    assert_eq!(intake.shares.budget().used(), 4, "the answer's, no more");
    drop(response);
    assert_eq!(intake.shares.budget().used(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_piece_of_a_body_has_its_time() {
    /// Chunks of this many bytes, each after this many seconds.
    async fn check(chunks: usize, bytes: usize, seconds: u64, expected: u16) {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            for _ in 0..chunks {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                let chunk = Bytes::from(vec![b' '; bytes]);
                if sender.send(Ok::<_, axum::Error>(chunk)).await.is_err() {
                    return;
                }
            }
        });
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        });
        let request = Request::post("/").body(Body::from_stream(stream));
        let intake = intake();
        let mut loan = Arc::new(intake.shares.caller(&PrincipalId::Local)).loan();
        let most = intake.largest_request;
        let read = intake
            .read(request.expect("a request"), most, &mut loan)
            .await;
        let status = read.map_or_else(|problem| problem.status.as_u16(), |_| 200);
        assert_eq!(status, expected, "{chunks} × {bytes} every {seconds} s");
    }
    // Eighteen seconds, with and without 4 MiB in that time.
    check(2, 4096 * KIB, 9, 413).await;
    check(2, 1024 * KIB, 9, 408).await;
    check(4, KIB, 3, 200).await;
    check(2, KIB, 9, 408).await;
}
