//! Many streams behind one local port.

use crate::gateway::{Gateway, Refresh, Resource, code, postern, signed_in, stderr};
use postern_client::home::Home;
use postern_ids::Refusal;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Output},
};

struct Forward {
    child: Child,
    address: String,
}

impl Forward {
    fn begin(home: &Home) -> Self {
        let mut child = postern(home, &["forward", "0:db"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().to_owned() }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    fn stop(self) -> Output {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait_with_output().unwrap()
    }
}

fn exchange(mut tcp: &TcpStream, bytes: &[u8]) {
    tcp.write_all(bytes).unwrap();
    let mut answer = vec![0; bytes.len()];
    tcp.read_exact(&mut answer).unwrap();
    assert_eq!(answer, bytes);
}

#[test]
fn twenty_streams_go_on_over_one_dial() {
    let gateway = Gateway::start(Refresh::Works, Resource::Echo, &[]);
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let forward = Forward::begin(&home);
    let streams: Vec<_> = (0..20).map(|_| forward.connect()).collect();
    streams.iter().for_each(|tcp| exchange(tcp, b"before"));
    gateway.break_links();
    streams.iter().for_each(|tcp| exchange(tcp, b"after"));
    assert_eq!((gateway.links(), gateway.sessions()), (2, 20));
    exchange(&forward.connect(), b"new on the same link");
    assert_eq!((gateway.links(), gateway.sessions()), (2, 21));
    let output = forward.stop();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn a_connection_that_is_refused_or_cut_is_reset_and_never_looks_finished() {
    let gateway = Gateway::start(Refresh::Works, Resource::Echo, &[]);
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let forward = Forward::begin(&home);
    let begun = forward.connect();
    exchange(&begun, b"before");
    gateway.refuse_lanes(Refusal::Denied, "");
    gateway.break_links();
    for mut tcp in [begun, forward.connect()] {
        let error = tcp.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let output = forward.stop();
    assert_eq!(stderr(&output).matches(Refusal::Denied.sentence()).count(), 2, "{}", stderr(&output));
}

#[test]
fn a_forward_that_is_told_to_stop_ends_its_streams_in_order() {
    let gateway = Gateway::start(Refresh::Works, Resource::Echo, &[]);
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let forward = Forward::begin(&home);
    let tcp = forward.connect();
    exchange(&tcp, b"before");
    let output = forward.stop();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    gateway.wait_for_ends(1);
}
