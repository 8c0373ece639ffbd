//! HTTP/2 on a connection of the public port. What the library does not bound is bounded here (H15).

mod calm;
mod frames;
mod pace;
mod watched;

use super::{
    Handler, Lent,
    connection::{Front, Who, report},
};
use http::Request;
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pace::{Streams, paced};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::timeout,
};
use watched::Watched;

/// Header list of one request; the library itself answers 431 above it.
const HEADER_LIST_MAX: u32 = 32 * 1024;
/// Requests at once on one connection: a browser needs far fewer.
const STREAMS_MAX: u32 = 100;
/// Requests that were reset before we looked at them, and streams that we had to reset: a peer with more of them gets
/// GOAWAY (CVE-2023-44487, CVE-2025-8671).
const PENDING_RESETS_MAX: usize = 20;
const OUR_RESETS_MAX: usize = 100;
/// What the peer may send before we take it: for one stream, and for all of them together.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// What waits for the peer to take it, for each stream.
const SEND_BUFFER_MAX: usize = 64 * 1024;
/// Silence after which a peer is asked whether it lives, and how long it may take to answer.
const PING: Duration = Duration::from_secs(20);

impl<H: Handler> Front<H> {
    pub(super) async fn http2(
        self: &Arc<Self>,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        who: Who,
    ) {
        let (lent, home) = Lent::new(io);
        let (watched, flood) = Watched::new(lent);
        let ended = self.serve_http2(watched, who).await;
        if let Some(words) = flood.last_words() {
            metrics::counter!("postern_requests_refused_total", "reason" => "flood").increment(1);
            home.tell(&words).await;
        } else if ended.is_err() {
            // The library said GOAWAY to a peer that may still be sending.
            home.linger().await;
        }
        report(ended);
    }

    async fn serve_http2(
        self: &Arc<Self>,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        who: Who,
    ) -> Result<(), hyper::Error> {
        // hyper has no deadline for a peer that never begins: until the first request, ours holds.
        let begun = Arc::new(Notify::new());
        let (front, who, heard) = (Arc::clone(self), Arc::new(who), Arc::clone(&begun));
        let service = service_fn(move |request: Request<Incoming>| {
            heard.notify_one();
            let (front, who) = (Arc::clone(&front), Arc::clone(&who));
            async move { Ok::<_, Infallible>(paced(front.answer(request, &who).await)) }
        });
        let connection = builder(self.door.deadlines.stall).serve_connection(TokioIo::new(io), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            begun = timeout(self.door.deadlines.headers, begun.notified()) => if begun.is_err() { return Ok(()) },
        }
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.lifecycle.stopping() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    }
}

fn builder(stall: Duration) -> conn::http2::Builder<Streams> {
    let mut builder = conn::http2::Builder::new(Streams { stall });
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_LIST_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(OUR_RESETS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER_MAX)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}
