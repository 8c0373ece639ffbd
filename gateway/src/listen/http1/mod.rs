//! HTTP/1 on a connection of the public port.

mod stall;
mod strict;
#[cfg(test)]
mod tests;
mod verdict;

pub use strict::Strict;
pub use verdict::AsksBack;

use super::{
    Handler, Lent,
    connection::{Front, Who, report},
    cut_short::cut_short,
};
use axum::body::Body;
use http::{HeaderValue, Request, Response, header};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use postern_canonical::HEAD_MAX;
use std::convert::Infallible;
use tokio::io::{AsyncRead, AsyncWrite};
use verdict::{Standing, Verdict};

/// What hyper may buffer: any head that is good, and room for bodies to move.
const BUFFER_MAX: usize = 3 * HEAD_MAX;

impl<H: Handler> Front<H> {
    pub(super) async fn http1(&self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, who: Who) {
        let (lent, home) = Lent::new(io);
        let (strict, verdict) = Strict::new(lent, self.door.deadlines.stall);
        let ended = self.serve_http1(strict, &verdict, &who).await;
        if ended.as_ref().is_err_and(hyper::Error::is_timeout) {
            home.tell_too_late().await;
        } else if verdict.is_cut_short() {
            home.linger().await;
        }
        report(ended);
    }

    async fn serve_http1(
        &self,
        io: Strict<Lent<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>>,
        verdict: &Verdict,
        who: &Who,
    ) -> Result<(), hyper::Error> {
        let service = service_fn(|request| self.answer_http1(request, verdict, who));
        let connection = conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.door.deadlines.headers)
            .max_buf_size(BUFFER_MAX)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let served = async {
            tokio::select! {
                ended = connection.as_mut() => return ended,
                () = self.lifecycle.stopping() => connection.as_mut().graceful_shutdown(),
            }
            connection.await
        };
        tokio::select! {
            biased;
            ended = served => ended,
            // Without a farewell: nobody may take what is broken off for an answer that is over.
            () = cut_short(|| verdict.cut()) => Ok(()),
        }
    }

    async fn answer_http1(
        &self,
        request: Request<Incoming>,
        verdict: &Verdict,
        who: &Who,
    ) -> Result<Response<Body>, Infallible> {
        if let Some(refused) = verdict.stands_in(&request) {
            return Ok(self.refuse(refused));
        }
        let response = self.answer(request, who).await;
        Ok(match verdict.answered(&response) {
            Standing::Good => response,
            Standing::Last => last(response),
            Standing::Refused(refused) => last(self.refuse(refused)),
        })
    }
}

/// Nothing is read behind this answer.
fn last(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
