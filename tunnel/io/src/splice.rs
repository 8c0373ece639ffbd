//! Lane to TCP connection: what connectors and clients do with a session.

use crate::{Cut, Forwarded, Lane};
use tokio::net::TcpStream;

/// Carries bytes between a lane (A) and a TCP connection (B) until both directions are closed, one of them is lost, or
/// the cut is given. Half-close is kept both ways. An idle session holds no buffer.
#[expect(clippy::todo, reason = "signatures ahead of the driver")]
pub async fn splice(_lane: Lane, _tcp: TcpStream, _cut: Cut) -> Forwarded {
    todo!()
}
