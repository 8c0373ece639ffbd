//! Both ends of a stream, and lanes that are as fast as a call.

use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::{
    Read,
    stream::{Attach, Config, Event, Intake, Poll, Stream},
};
use std::{sync::OnceLock, time::Instant};

pub(crate) const KEY: [u8; 32] = [3; 32];
pub(crate) const INSTANCE: [u8; 16] = [9; 16];

#[expect(clippy::disallowed_methods, reason = "a virtual clock has to start somewhere")]
pub(crate) fn now() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

pub(crate) fn client() -> Stream {
    Stream::client(StreamId::from_bytes([1; 16]), KEY, Config::default(), now())
}

/// Everything that an end has for its lane.
pub(crate) fn send(stream: &mut Stream, at: Instant) -> Bytes {
    let mut out = vec![];
    while stream.poll_transmit(&mut out, 200_000, at) == Poll::Records {}
    out.concat().into()
}

pub(crate) fn read(stream: &mut Stream) -> Vec<u8> {
    let mut all = vec![];
    while let Some(Read::Chunk(chunk)) = stream.read(usize::MAX) {
        all.extend_from_slice(&chunk);
    }
    all
}

pub(crate) fn events(stream: &mut Stream) -> Vec<Event> {
    std::iter::from_fn(|| stream.poll_event()).collect()
}

/// The client's next attempt: its Attach and what came with it.
pub(crate) fn attempt(client: &mut Stream) -> (Attach, Bytes) {
    client.attach(|_| [0; 64]).unwrap();
    let mut bytes = send(client, now());
    let attach = Intake::new().read(&mut bytes).unwrap().unwrap();
    (attach, bytes)
}

/// Both ends of a stream that a lane carries.
pub(crate) fn pair() -> (Stream, Stream) {
    let mut client = client();
    let (attach, rest) = attempt(&mut client);
    let mut connector = Stream::connector(&attach, INSTANCE, Config::default(), now()).unwrap();
    connector.handle_bytes(1, rest, now());
    exchange(&mut client, &mut connector, now());
    assert!(events(&mut client).contains(&Event::Attached { generation: 1 }));
    events(&mut connector);
    (client, connector)
}

pub(crate) fn exchange(client: &mut Stream, connector: &mut Stream, at: Instant) {
    for _ in 0..10 {
        let (down, up) = (send(connector, at), send(client, at));
        client.handle_bytes(client.generation(), down, at);
        connector.handle_bytes(connector.generation(), up, at);
    }
}

pub(crate) fn over(stream: &Stream) -> Option<u16> {
    stream.over().map(|over| over.code)
}

pub(crate) fn write(stream: &mut Stream, text: &'static str) {
    assert_eq!(stream.write(&mut Bytes::from_static(text.as_bytes())).unwrap(), text.len());
}
