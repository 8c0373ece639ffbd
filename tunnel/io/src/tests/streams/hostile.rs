//! Whoever replays, forges or guesses gets nothing and breaks nothing (security catalogue T6, T16).

use super::{
    super::{End, pair},
    near::pipe,
    scene::{INSTANCE, STREAM, Scene},
    within,
};
use crate::{
    Cut, Lane, OpenError,
    stream::{
        Arrival, Attach, Attempt, Carry, Connect, ConnectError, StreamConfig, StreamKey, StreamState, carry,
        read_attach, verify_proof,
    },
};
use bytes::Bytes;
use postern_ids::Ended;
use postern_tunnel_proto::stream::{Poll, Stream as Machine};
use std::{sync::Arc, time::Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A client of its own making: it holds the key and says what it likes.
struct Forger {
    key: StreamKey,
    machine: Machine,
}

impl Forger {
    fn new() -> Self {
        let key = StreamKey::generate().unwrap();
        let machine = Machine::client(STREAM, key.public(), StreamConfig::default(), Instant::now());
        Self { key, machine }
    }

    /// The next attempt, as an honest client would make it.
    fn attempt(&mut self) -> Bytes {
        self.machine.attach(|message| self.key.sign(message)).unwrap();
        self.records()
    }

    fn records(&mut self) -> Bytes {
        let mut out = vec![];
        while self.machine.poll_transmit(&mut out, 16 * 1024, Instant::now()) == Poll::Records {}
        out.concat().into()
    }

    /// The next attempt with a field overwritten, and signed again.
    fn forged(&mut self, at: usize, field: &[u8]) -> Bytes {
        let mut early = self.attempt().to_vec();
        let (_, payload) = early.split_at_mut(4);
        payload[at..at + field.len()].copy_from_slice(field);
        let message = [&b"postern stream attach v1"[..], &payload[..81]].concat();
        payload[81..145].copy_from_slice(&self.key.sign(&message));
        early.into()
    }

    /// What the connector says on a lane.
    async fn hear(&mut self, lane: &mut Lane) {
        let chunk = within(lane.read_chunk(64 * 1024)).await.unwrap().unwrap();
        self.machine.handle_bytes(self.machine.generation(), chunk, Instant::now());
    }
}

fn code(opened: Result<Lane, OpenError>) -> u16 {
    match opened {
        Err(OpenError::Refused { code, .. }) => code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// The stream goes on where it was.
async fn still_works(program: &mut DuplexStream, target: &mut DuplexStream) {
    program.write_all(b"ping").await.unwrap();
    let mut ping = [0; 4];
    within(target.read_exact(&mut ping)).await.unwrap();
    target.write_all(b"pong").await.unwrap();
    let mut pong = [0; 4];
    within(program.read_exact(&mut pong)).await.unwrap();
    assert_eq!((&ping, &pong), (b"ping", b"pong"));
}

#[tokio::test]
async fn t06_an_attempt_that_was_used_is_refused_when_it_is_replayed() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    still_works(&mut stream.program, &mut target).await;
    let used = scene.parts().attempts.lock().unwrap()[0].clone();
    assert_eq!(code(scene.open(used).await), 4409);
    still_works(&mut stream.program, &mut target).await;
    assert_eq!(scene.held().state(), StreamState::Attached { generation: 1 });
}

#[tokio::test]
async fn t06_an_attempt_that_was_recorded_on_its_way_delays_the_stream_and_cannot_end_it() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    still_works(&mut stream.program, &mut target).await;
    scene.kill_client_link();
    // The client's next attempt finds no link; somebody else has read it.
    scene.until(|parts| parts.attempts.lock().unwrap().len() >= 2).await;
    let recorded = scene.parts().attempts.lock().unwrap()[1].clone();
    target.write_all(b"secret").await.unwrap();
    scene.connect_client();
    let thief = scene.open(recorded).await;
    let mut secret = [0; 6];
    within(stream.program.read_exact(&mut secret)).await.unwrap();
    assert_eq!(&secret, b"secret", "what the thief was sent is sent again");
    still_works(&mut stream.program, &mut target).await;
    drop(thief);
    still_works(&mut stream.program, &mut target).await;
}

#[tokio::test]
async fn t06_a_proof_that_does_not_verify_or_another_key_is_refused() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    let mut broken = scene.parts().attempts.lock().unwrap()[0].to_vec();
    broken[4 + 100] ^= 1;
    assert_eq!(code(scene.open(broken.into()).await), 4411);
    let mut thief = Forger::new();
    thief.attempt();
    assert_eq!(code(scene.open(thief.attempt()).await), 4411, "the id alone is worth nothing");
    still_works(&mut stream.program, &mut target).await;
}

#[test]
fn t16_a_proof_covers_the_versions_and_everything_else_that_is_attached() {
    let early = Forger::new().attempt();
    let (attach, rest) = read_attach(&early).unwrap();
    assert!(rest.is_empty() && verify_proof(&attach));
    let changed = [
        Attach { version_max: 2, ..attach.clone() },
        Attach { generation: 2, ..attach.clone() },
        Attach { received: 1, ..attach.clone() },
        Attach { instance: INSTANCE, ..attach.clone() },
        Attach { resume_only: true, ..attach.clone() },
        Attach { key: StreamKey::generate().unwrap().public(), ..attach },
    ];
    assert!(!changed.iter().any(verify_proof));
}

#[test]
fn an_attach_that_is_not_whole_in_the_early_data_is_none() {
    let early = Forger::new().attempt();
    for length in 0..early.len() {
        assert!(read_attach(&early.slice(..length)).is_none());
    }
    assert!(read_attach(&Bytes::from_static(&[0xff; 200])).is_none());
}

#[tokio::test]
async fn t06_a_lane_without_an_attach_is_given_back() {
    let (dialer, mut acceptor) = pair();
    let open = crate::Open { early: Bytes::from_static(b"GET /"), ..Default::default() };
    let opening = tokio::spawn(async move { dialer.link.open(open).await.map(drop) });
    let lane = Arrival::read(acceptor.lane().await).unwrap_err();
    assert_eq!(&lane.early[..], b"GET /");
    lane.refuse(4400, b"");
    assert!(matches!(within(opening).await.unwrap(), Err(OpenError::Refused { code: 4400, .. })));
}

#[tokio::test]
async fn t06_a_resume_of_a_stream_that_nobody_holds_makes_none() {
    let (scene, _stream) = Scene::start(StreamConfig::default());
    scene.until(|parts| !parts.held.lock().unwrap().is_empty()).await;
    scene.parts().held.lock().unwrap().clear();
    let mut forger = Forger::new();
    assert_eq!(code(scene.open(forger.forged(4, &[1])).await), 4410);
    assert!(scene.parts().held.lock().unwrap().is_empty());
}

/// A scene whose connector holds a stream of a forger's, and the forger's lane.
async fn forged() -> (Scene, Forger, Lane) {
    let (scene, _stream) = Scene::start(StreamConfig::default());
    scene.until(|parts| !parts.held.lock().unwrap().is_empty()).await;
    scene.parts().held.lock().unwrap().clear();
    let mut forger = Forger::new();
    let mut lane = scene.open(forger.attempt()).await.unwrap();
    forger.hear(&mut lane).await;
    (scene, forger, lane)
}

#[tokio::test]
async fn t06_an_offset_that_was_never_sent_ends_the_stream_loudly() {
    let (scene, mut forger, _lane) = forged().await;
    assert_eq!(code(scene.open(forger.forged(57, &1_000u64.to_be_bytes())).await), 4410);
    assert!(matches!(scene.held().state(), StreamState::Over(over) if over.code == 4410));
}

#[tokio::test]
async fn t06_another_instance_is_refused_and_the_stream_stays_as_it_was() {
    let (scene, mut forger, _lane) = forged().await;
    assert_eq!(code(scene.open(forger.forged(65, &[8; 16])).await), 4410);
    assert_eq!(scene.held().state(), StreamState::Attached { generation: 1 });
}

#[tokio::test]
async fn t06_a_bad_record_ends_the_stream_and_its_lane_with_4410() {
    let second_attach = [&b"\x01\0\0\x91"[..], &[1; 145]].concat();
    let ack_of_nothing = [&b"\x05\0\0\x10"[..], &[1; 16]].concat();
    let unknown = b"\xff\0\0\0".to_vec();
    let fin_too_far = b"\x06\0\0\x08\0\0\0\0\0\0\0\x09".to_vec();
    for bad in [second_attach, ack_of_nothing, unknown, fin_too_far] {
        let (scene, _forger, mut lane) = forged().await;
        lane.write_chunk(bad.clone().into()).await.unwrap();
        assert_eq!(reset_of(&mut lane).await, Ended::ResumeFailed.sentence(), "{bad:?}");
        assert!(matches!(scene.held().state(), StreamState::Over(over) if over.code == 4410), "{bad:?}");
    }
}

/// What a lane was reset with, whatever came before.
async fn reset_of(lane: &mut Lane) -> String {
    let read = async {
        loop {
            match lane.read_chunk(1024).await {
                Ok(Some(_)) => {}
                Ok(None) => return "it was finished".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
    };
    within(read).await
}

/// One lane to a connector that the test plays.
struct Once(Arc<End>);

impl Connect for Once {
    async fn connect(&mut self, attempt: Attempt) -> Result<Lane, ConnectError> {
        let opened = self.0.link.open(crate::Open { early: attempt.early, ..Default::default() }).await;
        opened.map(|opened| opened.lane).map_err(|_| ConnectError::Final(4443))
    }
}

#[tokio::test]
async fn t15_a_connector_that_breaks_the_rules_ends_the_stream_and_its_lane() {
    let no_record = b"no record".to_vec();
    let data_first = b"\x04\0\0\x09\0\0\0\0\0\0\0\0x".to_vec();
    let other_version = [&b"\x02\0\0\x1e\0\x09\0\0\0\x01"[..], &[0; 8], &INSTANCE].concat();
    let more_than_was_sent = [&b"\x02\0\0\x1e\0\x01\0\0\0\x01"[..], &[1; 8], &INSTANCE].concat();
    for bad in [no_record, data_first, other_version, more_than_was_sent] {
        let (dialer, mut acceptor) = pair();
        let (_program, near) = duplex(1024);
        let key = StreamKey::generate().unwrap();
        let config = StreamConfig::default();
        let stream = Carry { local: pipe(near), id: STREAM, key, config, cut: Cut::new() };
        let carrying = tokio::spawn(carry(stream, Once(Arc::new(dialer))));
        let mut lane = acceptor.lane().await.accept(Bytes::new());
        lane.write_chunk(bad.clone().into()).await.unwrap();
        assert_eq!(within(carrying).await.unwrap().over.code, 4410, "{bad:?}");
        assert_eq!(reset_of(&mut lane).await, Ended::ResumeFailed.sentence());
    }
}
