//! The tunnel over in-memory connections, seen from its public words.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod forwarding;
mod goodbye;
mod hostile;
mod lanes;
mod silence;
mod streams;

use crate::{Event, Incoming, IncomingLane, Lane, Link, LinkConfig, Open, Opened, link};
use bytes::Bytes;
use postern_tunnel_proto::Side;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, duplex};

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(10);

/// One end of a link under test.
struct End {
    link: Link,
    incoming: Incoming,
}

impl End {
    fn new<S>(stream: S, side: Side, config: LinkConfig) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (link, incoming) = link::start(stream, Bytes::new(), side, config);
        Self { link, incoming }
    }

    /// The next lane that the peer asks for.
    async fn lane(&mut self) -> IncomingLane {
        match within(self.incoming.next()).await {
            Some(Event::Open(lane)) => lane,
            other => panic!("expected a lane, got {other:?}"),
        }
    }
}

/// A dialer and an acceptor on one connection.
fn pair() -> (End, End) {
    pair_with(LinkConfig { churn: None, ..LinkConfig::default() })
}

fn pair_with(config: LinkConfig) -> (End, End) {
    let (near, far) = duplex(64 * 1024);
    (End::new(near, Side::Dialer, config.clone()), End::new(far, Side::Acceptor, config))
}

/// An open lane, seen from both ends.
async fn open(dialer: &End, acceptor: &mut End) -> (Lane, Lane) {
    let accepting = async { acceptor.lane().await.accept(Bytes::new()) };
    let (opened, far) = tokio::join!(within(dialer.link.open(Open::default())), accepting);
    let Opened { lane, .. } = opened.unwrap();
    (lane, far)
}

async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(SOON, work).await.unwrap()
}
