//! Peers that fall silent or stop to read (security catalogue T5). The timers are short instead of mocked: what is
//! asserted is that the end comes, and how it is called.

use super::{End, pair_with, within};
use crate::{Blame, Heartbeat, LinkConfig};
use postern_tunnel_proto::Side;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, duplex};

fn short() -> LinkConfig {
    let heartbeat = Heartbeat {
        handshake: Duration::from_secs(5),
        ping_after: Duration::from_millis(60),
        dead_after: Duration::from_millis(200),
        stuck_after: Duration::from_millis(200),
    };
    LinkConfig { churn: None, heartbeat, ..LinkConfig::default() }
}

#[tokio::test]
async fn t05_a_silent_peer_is_dead_after_its_limit() {
    let (dialer, acceptor) = {
        let (near, far) = duplex(64 * 1024);
        let (tap_near, tap_far) = duplex(64 * 1024);
        let dialer = End::new(near, Side::Dialer, short());
        let acceptor = End::new(tap_far, Side::Acceptor, short());
        // A wire that is cut without a FIN: what is written is swallowed, nothing comes.
        let wire = tokio::spawn(async move {
            let (mut far, mut tap_near) = (far, tap_near);
            let carrying = tokio::io::copy_bidirectional(&mut far, &mut tap_near);
            let _ = tokio::time::timeout(Duration::from_millis(100), carrying).await;
            let (mut a, mut b) = (vec![0; 4096], vec![0; 4096]);
            loop {
                tokio::select! {
                    _ = far.read(&mut a) => {}
                    _ = tap_near.read(&mut b) => {}
                }
            }
        });
        drop(wire);
        (dialer, acceptor)
    };
    let begun = Instant::now();
    let (one, other) = tokio::join!(within(dialer.link.closed()), within(acceptor.link.closed()));
    assert_eq!((one.by, other.by), (Blame::Network, Blame::Network));
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn t05_a_peer_that_answers_keeps_an_idle_link_alive() {
    let (dialer, acceptor) = pair_with(short());
    tokio::select! {
        ended = dialer.link.closed() => panic!("{ended:?}"),
        ended = acceptor.link.closed() => panic!("{ended:?}"),
        () = tokio::time::sleep(Duration::from_millis(700)) => {}
    }
    assert!(dialer.link.rtt().is_some());
}

#[tokio::test]
async fn t05_a_write_that_is_stuck_ends_the_link() {
    // The connection takes fewer bytes than the hello has, and nobody reads.
    let (near, _far) = duplex(4);
    let heartbeat = Heartbeat { dead_after: Duration::from_secs(60), ..short().heartbeat };
    let dialer = End::new(near, Side::Dialer, LinkConfig { heartbeat, ..short() });
    let ended = within(dialer.link.closed()).await;
    assert_eq!(ended.by, Blame::Network);
    assert!(ended.reason.contains("does not read"), "{}", ended.reason);
}

#[tokio::test]
async fn t05_a_peer_that_never_says_hello_is_refused() {
    let (near, mut far) = duplex(64 * 1024);
    let heartbeat = Heartbeat { handshake: Duration::from_millis(100), ..Heartbeat::default() };
    let acceptor = End::new(near, Side::Acceptor, LinkConfig { heartbeat, ..LinkConfig::default() });
    let ended = within(acceptor.link.closed()).await;
    assert_eq!(ended.code, postern_ids::Refusal::Timeout.code());
    let mut told = Vec::new();
    within(far.read_to_end(&mut told)).await.unwrap();
    let code = ended.code.to_be_bytes();
    assert!(told.windows(2).any(|pair| pair == code), "the close frame names the code");
}
