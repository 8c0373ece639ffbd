//! Long lists that wait for room, and links that end only when everything is said.

use super::{End, Event, open, pair, within};
use bytes::Bytes;

const PART: usize = 64 * 1024;
/// Four times what may wait before a link is cut off.
const PARTS: usize = 256;

async fn part(end: &mut End) -> (usize, bool) {
    match within(end.incoming.next()).await {
        // An inventory that is none would end the link; a list of nothing has no entries.
        Some(Event::Keys(keys)) => (keys.len(), false),
        Some(Event::Inventory { entries, last }) => (entries.len(), last),
        other => panic!("expected a part of a list, got {other:?}"),
    }
}

#[tokio::test]
async fn a_list_far_longer_than_what_may_wait_arrives_whole_if_each_part_waits_for_room() {
    let (dialer, mut acceptor) = pair();
    let link = dialer.link.clone();
    let telling = tokio::spawn(async move {
        for _ in 0..PARTS {
            link.inventory_room().await;
            link.send_keys(vec![7; PART].into());
        }
        link.send_inventory(Bytes::new(), true);
    });
    for _ in 0..PARTS {
        assert_eq!(part(&mut acceptor).await, (PART, false));
    }
    assert_eq!(part(&mut acceptor).await, (0, true));
    within(telling).await.unwrap();
    assert!(!dialer.link.is_closed());
}

#[tokio::test]
async fn who_waits_for_room_is_let_go_when_the_link_ends() {
    let (dialer, acceptor) = pair();
    for _ in 0..32 {
        dialer.link.send_keys(vec![7; PART].into());
    }
    let waiting = tokio::spawn({
        let link = dialer.link.clone();
        async move { link.inventory_room().await }
    });
    tokio::task::yield_now().await;
    acceptor.link.close(1001, "over");
    within(waiting).await.unwrap();
}

#[tokio::test]
async fn a_link_is_gone_only_when_its_close_is_written_and_its_lanes_are_done_before() {
    let (dialer, mut acceptor) = pair();
    let (mut near, mut far) = open(&dialer, &mut acceptor).await;
    let leaving = tokio::spawn({
        let link = dialer.link.clone();
        async move {
            link.lanes_done().await;
            link.close(1001, "stopped");
            link.gone().await;
        }
    });
    near.write_chunk(Bytes::from_static(b"last words")).await.unwrap();
    near.finish().unwrap();
    assert_eq!(far.read_chunk(PART).await.unwrap().unwrap(), b"last words"[..]);
    assert_eq!(far.read_chunk(PART).await.unwrap(), None);
    assert!(!leaving.is_finished(), "the other direction is open");
    far.finish().unwrap();
    assert_eq!(near.read_chunk(PART).await.unwrap(), None);
    within(leaving).await.unwrap();
    let ended = within(acceptor.link.closed()).await;
    assert_eq!((ended.code, ended.reason.as_str()), (1001, "stopped"));
}
