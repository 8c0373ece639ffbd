#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use http::StatusCode;
use postern_canonical::Refused;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

struct Peer {
    side: DuplexStream,
    strict: Strict<DuplexStream>,
    verdict: Verdict,
}

fn peer() -> Peer {
    let (side, inner) = duplex(256 * 1024);
    let (strict, verdict) = Strict::new(inner, Duration::from_millis(30));
    Peer { side, strict, verdict }
}

impl Peer {
    async fn says(&mut self, bytes: &[u8]) {
        self.side.write_all(bytes).await.unwrap();
    }

    /// What the library gets next, into a buffer of that size; `None` while it has to wait.
    async fn heard(&mut self, size: usize) -> Option<std::io::Result<Vec<u8>>> {
        let mut buffer = vec![0; size];
        tokio::select! {
            biased;
            read = self.strict.read(&mut buffer) => Some(read.map(|count| buffer[..count].to_vec())),
            () = std::future::ready(()) => None,
        }
    }

    fn answered(&self, status: StatusCode) -> Standing {
        self.verdict.answered(&Response::builder().status(status).body(()).unwrap())
    }

    async fn good(&mut self, size: usize) -> Vec<u8> {
        self.heard(size).await.unwrap().unwrap()
    }
}

fn stand_in() -> Request<()> {
    Request::builder().header("host", "refused.invalid").body(()).unwrap()
}

#[tokio::test]
async fn a_head_is_handed_on_whole_or_not_at_all() {
    let mut peer = peer();
    let (begin, end) = GET.split_at(20);
    peer.says(begin).await;
    assert!(peer.heard(1024).await.is_none());
    peer.says(end).await;
    peer.says(GET).await;
    let mut all = Vec::new();
    while all.len() < 2 * GET.len() {
        all.extend(peer.good(7).await);
    }
    assert_eq!(all, [GET, GET].concat());
    drop(peer.side);
    let mut rest = Vec::new();
    assert_eq!(peer.strict.read_to_end(&mut rest).await.unwrap(), 0);
}

#[tokio::test]
async fn h02_a_bad_head_becomes_a_request_of_ours_behind_the_good_ones() {
    let mut peer = peer();
    peer.says(&[GET, b"GET / HTTP/1.1\nHost: a\r\n\r\n", GET].concat()).await;
    assert_eq!(peer.good(1024).await, GET);
    assert_eq!(peer.good(10).await, b"GET / HTTP");
    assert_eq!(peer.verdict.stands_in(&stand_in()), Some(Refused::Head));
    assert!(String::from_utf8(peer.good(1024).await).unwrap().contains("connection: close"));
    assert!(peer.heard(1024).await.is_none(), "nothing comes behind it");
}

#[tokio::test]
async fn a_request_for_the_name_that_stands_in_is_a_request_like_any_other() {
    let mut peer = peer();
    peer.says(b"GET / HTTP/1.1\r\nHost: refused.invalid\r\n\r\n").await;
    peer.good(1024).await;
    assert_eq!(peer.verdict.stands_in(&stand_in()), None);
}

#[tokio::test]
async fn h01_a_body_that_turns_bad_breaks_off_and_its_answer_says_so() {
    let mut peer = peer();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    peer.says(&[head, &b"2\r\nhi\r\n"[..]].concat()).await;
    peer.good(1024).await;
    assert_eq!(peer.answered(StatusCode::OK), Standing::Good);
    peer.says(b"2\nhi\r\n0\r\n\r\n").await;
    assert_eq!(peer.heard(1024).await.unwrap().unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(peer.answered(StatusCode::OK), Standing::Refused(Refused::Framing));
    assert!(peer.heard(1024).await.is_none());
}

#[tokio::test]
async fn h04_what_comes_early_belongs_to_the_other_protocol_or_to_nobody() {
    let mut taken = peer();
    taken.says(&[UPGRADE, b"early"].concat()).await;
    assert_eq!(taken.good(1024).await, UPGRADE);
    assert!(taken.heard(1024).await.is_none());
    assert_eq!(taken.answered(StatusCode::SWITCHING_PROTOCOLS), Standing::Good);
    assert_eq!(taken.good(2).await, b"ea");
    assert_eq!(taken.strict.into_parts().1, b"rly");

    let mut refused = peer();
    refused.says(&[UPGRADE, GET].concat()).await;
    assert_eq!(refused.good(1024).await, UPGRADE);
    assert_eq!(refused.answered(StatusCode::FORBIDDEN), Standing::Last);
    assert!(refused.heard(1024).await.is_none());

    let mut late = peer();
    late.says(UPGRADE).await;
    late.good(1024).await;
    assert_eq!(late.answered(StatusCode::OK), Standing::Last);
    late.says(GET).await;
    assert!(late.heard(1024).await.is_none());
}

#[tokio::test]
async fn h04_no_more_is_held_for_an_upgrade_than_has_room() {
    let mut peer = peer();
    peer.says(UPGRADE).await;
    peer.good(1024).await;
    peer.says(&vec![b'x'; 200 * 1024]).await;
    assert!(peer.heard(8 * 1024).await.is_none());
    assert!(peer.strict.into_parts().1.len() <= 72 * 1024);
}

#[tokio::test]
async fn h04_an_upgrade_that_was_not_asked_for_is_not_answered() {
    let mut peer = peer();
    peer.says(GET).await;
    peer.good(1024).await;
    let standing = peer.answered(StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(standing, Standing::Refused(Refused::Head));
}

#[tokio::test]
async fn a_body_of_known_length_passes_into_the_library_s_own_buffer() {
    let mut peer = peer();
    let head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    peer.says(head).await;
    peer.good(1024).await;
    peer.says(&vec![b'x'; 100_000]).await;
    peer.says(GET).await;
    let mut count = 0;
    while count < 100_000 {
        count += peer.good(30_000).await.len();
    }
    assert_eq!(count, 100_000 + GET.len());
}

#[tokio::test]
async fn a_peer_that_is_asked_back_answers_on_the_same_connection() {
    let mut peer = peer();
    peer.says(UPGRADE).await;
    assert_eq!(peer.good(1024).await, UPGRADE);
    let mut question = Response::new(());
    *question.status_mut() = StatusCode::UNAUTHORIZED;
    question.extensions_mut().insert(AsksBack);
    assert_eq!(peer.verdict.answered(&question), Standing::Good);
    peer.says(UPGRADE).await;
    assert_eq!(peer.good(1024).await, UPGRADE);
    assert_eq!(peer.answered(StatusCode::SWITCHING_PROTOCOLS), Standing::Good);

    let mut hasty = self::peer();
    hasty.says(&[UPGRADE, GET].concat()).await;
    assert_eq!(hasty.good(1024).await, UPGRADE);
    assert_eq!(hasty.verdict.answered(&question), Standing::Last, "it did not wait for the question");
    assert!(hasty.heard(1024).await.is_none());
}

#[tokio::test]
async fn h16_a_peer_that_takes_nothing_is_given_up() {
    let mut peer = peer();
    peer.strict.write_all(&vec![b'x'; 200 * 1024]).await.unwrap();
    let ended = peer.strict.write_all(&vec![b'x'; 200 * 1024]).await;
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
}
