use super::*;
use http_body_util::BodyExt;
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};

#[tokio::test]
async fn h16_an_http2_peer_that_never_begins_is_closed() {
    let fixture = start(Mode::Tls, 100);
    closed(fixture.h2().await).await;
}

#[tokio::test]
async fn h15_a_stream_whose_peer_takes_nothing_is_reset_and_its_neighbours_go_on() {
    let fixture = start(Mode::Tls, 100);
    is_reset_alone(&fixture, "/endless", || ()).await;
}

#[tokio::test]
async fn h15_a_window_that_opens_byte_by_byte_does_not_keep_a_stream() {
    let fixture = start(Mode::Tls, 100);
    let (mut heard, mut said) = tokio::io::split(fixture.h2().await);
    let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0".to_vec();
    // GET, https and two written out: `:path` and `:authority` (RFC 7541 appendix A).
    let block = b"\x82\x87\x04\x08/endless\x01\x09gate.test";
    hello.extend([0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    hello.extend(block);
    said.write_all(&hello).await.unwrap();
    let drip = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while said.write_all(b"\0\0\x04\x08\0\0\0\0\x01\0\0\0\x01").await.is_ok() {
            ticks.tick().await;
        }
    };
    let reset = async {
        loop {
            let mut head = [0; 9];
            heard.read_exact(&mut head).await.unwrap();
            let length = u64::from(u32::from_be_bytes([0, head[0], head[1], head[2]]));
            tokio::io::copy(&mut (&mut heard).take(length), &mut tokio::io::sink()).await.unwrap();
            if head[3] == 3 {
                return;
            }
        }
    };
    tokio::select! {
        () = drip => unreachable!("the connection goes on"),
        () = reset => {}
    }
}

/// Opens a stream of which its peer takes nothing: it is reset after `then`, and its neighbours go on.
pub(super) async fn is_reset_alone(fixture: &Fixture, path: &str, then: impl FnOnce()) {
    let (mut sender, connection) = conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1_000)
        .handshake(TokioIo::new(fixture.h2().await))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = |path: &str| Request::get(format!("https://gate.test{path}")).body(Body::empty()).unwrap();
    let stalled = sender.send_request(request(path)).await.unwrap();
    then();
    fixture.hello.given_up.notified().await;
    let neighbour = sender.send_request(request("/")).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(neighbour.to_bytes(), "127.0.0.1");
    stalled.into_body().collect().await.unwrap_err();
    connection.abort();
}
