//! The one-shot web server that the browser comes back to: 127.0.0.1 only, a port from the kernel, one accepted answer,
//! and that from our gateway (RFC 9207): another one would have led the browser on in order to get its code.

use crate::failure::{Failure, printable};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

const PATH: &str = postern_api::oauth::REDIRECT_PATH;
/// A request head beyond this is not from a browser that was redirected by our gateway.
const HEAD_MAX_BYTES: usize = 8 * 1024;
/// A browser sends its request at once.
const HEAD_MAX: Duration = Duration::from_secs(5);

/// The waiting server.
#[derive(Debug)]
pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
    state: String,
    issuer: String,
}

/// What a request to the server is.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    /// The answer, with the code.
    Code(String),
    /// The answer: the person or the gateway said no.
    Refused(String),
    /// An answer to our question that another gateway gave, or one that does not say whose it is.
    Foreign,
    /// Something else: a favicon, a probe, another program or page that guesses.
    Stray,
}

impl Loopback {
    /// Listens for the answer of this issuer to the question with this state.
    pub(super) async fn bind(state: String, issuer: String) -> Result<Self, Failure> {
        let failed =
            |e: std::io::Error| Failure::unavailable(format!("no local port for the browser's answer: {e}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port, state, issuer })
    }

    /// Where the browser is to be sent.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the answer that carries our state; others are turned away and change nothing.
    pub(super) async fn answer(self) -> Result<String, Failure> {
        loop {
            let Ok((mut tcp, _)) = self.listener.accept().await else { continue };
            let Ok(Some(head)) = tokio::time::timeout(HEAD_MAX, read_head(&mut tcp)).await else { continue };
            match self.read(&head) {
                Request::Code(code) => {
                    reply(&mut tcp, "200 OK", "You are signed in. This window can be closed.").await;
                    return Ok(code);
                }
                Request::Refused(reason) => {
                    reply(&mut tcp, "200 OK", "The sign-in was refused. This window can be closed.").await;
                    return Err(Failure::signed_out(format!(
                        "the sign-in was refused: {}",
                        printable(&reason)
                    )));
                }
                Request::Foreign => {
                    reply(&mut tcp, "400 Bad Request", "This answer is not from the gateway that was asked.")
                        .await;
                    return Err(self.foreign());
                }
                Request::Stray => reply(&mut tcp, "404 Not Found", "There is nothing here.").await,
            }
        }
    }

    fn foreign(&self) -> Failure {
        let sentence = format!("the browser's answer is not from {}; the sign-in was given up", self.issuer);
        Failure::signed_out(sentence).then("postern login --gateway URL, with the gateway's own public URL")
    }

    fn read(&self, head: &str) -> Request {
        let mut lines = head.split("\r\n");
        let target = lines
            .next()
            .and_then(|line| line.strip_prefix("GET ")?.split_once(' ').map(|(target, _)| target));
        let host = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("host").then(|| value.trim())
        });
        // A page elsewhere can send a browser here under another name (DNS rebinding), but cannot forge this header.
        if host != Some(format!("127.0.0.1:{}", self.port).as_str()) {
            return Request::Stray;
        }
        let Some(url) = target.and_then(|target| Url::parse(&format!("http://127.0.0.1{target}")).ok())
        else {
            return Request::Stray;
        };
        let value = |wanted: &str| {
            let mut found =
                url.query_pairs().filter(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
            // A parameter given twice is not from our gateway.
            found.next().filter(|_| found.next().is_none())
        };
        let is_ours = value("state").is_some_and(|state| same(&state, &self.state));
        if url.path() != PATH || !is_ours {
            return Request::Stray;
        }
        if value("iss").is_none_or(|issuer| issuer != self.issuer) {
            return Request::Foreign;
        }
        match (value("code"), value("error")) {
            (Some(code), None) => Request::Code(code),
            (None, Some(error)) => Request::Refused(value("error_description").unwrap_or(error)),
            (Some(_), Some(_)) | (None, None) => Request::Stray,
        }
    }
}

/// Equality that takes the same time wherever the first difference is.
fn same(a: &str, b: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

async fn read_head(tcp: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut chunk = [0; 1024];
        let length = tcp.read(&mut chunk).await.ok().filter(|&length| length > 0)?;
        head.extend_from_slice(chunk.get(..length)?);
        if head.len() > HEAD_MAX_BYTES {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

async fn reply(tcp: &mut TcpStream, status: &str, sentence: &str) {
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=color-scheme content=\"light dark\">\
         <title>Postern</title><body style=\"font:1.1rem system-ui;margin:4rem auto;max-width:32rem\"><h1>Postern</h1><p>{sentence}"
    );
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nReferrer-Policy: no-referrer\r\n\
         Connection: close\r\n\r\n{page}",
        page.len()
    );
    let _ = tcp.write_all(answer.as_bytes()).await;
    let _ = tcp.shutdown().await;
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    const ISSUER: &str = "https://gw.example";

    async fn send(port: u16, host: &str, target: &str) -> String {
        let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn o13_only_the_answer_with_our_state_and_host_is_taken() {
        let loopback = Loopback::bind("our-state".into(), ISSUER.into()).await.unwrap();
        assert!(loopback.listener.local_addr().unwrap().ip().is_loopback());
        let port = loopback.port;
        let ours = format!("127.0.0.1:{port}");
        let waiting = tokio::spawn(loopback.answer());
        for (host, target) in [
            (ours.as_str(), "/callback?code=evil&state=guess"),
            (ours.as_str(), "/callback?code=evil"),
            (ours.as_str(), "/callback?code=evil&state=our-state&state=our-state"),
            (ours.as_str(), "/callback?code=a&code=b&state=our-state&iss=https://gw.example"),
            (ours.as_str(), "/other?code=evil&state=our-state"),
            ("evil.example", "/callback?code=evil&state=our-state"),
            (ours.as_str(), "/favicon.ico"),
        ] {
            assert!(send(port, host, target).await.starts_with("HTTP/1.1 404"), "{host} {target}");
        }
        assert!(!waiting.is_finished(), "a guess neither signs in nor ends the wait");
        assert!(
            send(port, &ours, &format!("/callback?code=good&state=our-state&iss={ISSUER}"))
                .await
                .starts_with("HTTP/1.1 200")
        );
        assert_eq!(waiting.await.unwrap().unwrap(), "good");
    }

    #[tokio::test]
    async fn a_refused_sign_in_says_so_at_once() {
        let loopback = Loopback::bind("s".into(), ISSUER.into()).await.unwrap();
        let port = loopback.port;
        let waiting = tokio::spawn(loopback.answer());
        let target = format!("/callback?error=access_denied&state=s&iss={ISSUER}");
        send(port, &format!("127.0.0.1:{port}"), &target).await;
        let failure = waiting.await.unwrap().unwrap_err();
        assert_eq!(failure.code, 77);
        assert!(failure.sentence.contains("access_denied"));
    }

    #[tokio::test]
    async fn o4_an_answer_of_another_issuer_or_of_none_ends_the_sign_in() {
        for iss in
            ["", "&iss=", "&iss=https://evil.example", "&iss=https://gw.example/", "&iss=HTTPS://gw.example"]
        {
            let loopback = Loopback::bind("s".into(), ISSUER.into()).await.unwrap();
            let port = loopback.port;
            let waiting = tokio::spawn(loopback.answer());
            let answer =
                send(port, &format!("127.0.0.1:{port}"), &format!("/callback?code=c&state=s{iss}")).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{iss}: {answer}");
            let failure = waiting.await.unwrap().unwrap_err();
            assert!(
                failure.code == 77 && failure.sentence.contains("not from https://gw.example"),
                "{failure}"
            );
        }
    }
}
