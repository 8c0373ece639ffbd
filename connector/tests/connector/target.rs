//! Where sessions lead in these tests.

use crate::gateway::PATIENCE;
use std::net::SocketAddr;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// A listener that tests may see reached, with the line that admits it.
pub(crate) async fn target() -> (TcpListener, SocketAddr, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address, vec![address.to_string()])
}

/// Nothing has come to the target, and nothing is on its way: one connection of our own is the first that it sees.
pub(crate) async fn assert_untouched(target: &TcpListener) {
    let ours = TcpStream::connect(target.local_addr().unwrap()).await.unwrap();
    let (_, peer) = target.accept().await.unwrap();
    assert_eq!(peer, ours.local_addr().unwrap(), "the target saw a connection that it must not see");
}

/// The next bytes at the target.
pub(crate) async fn heard<const N: usize>(tcp: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    timeout(PATIENCE, tcp.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}
