//! What TCP sockets are set to: those under links, and those at both ends of a session.

#[cfg(target_os = "linux")]
use socket2::SockRef;
use std::{io, net::SocketAddr};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Bytes that the kernel holds unsent. What waits above it can still be overtaken by a more urgent frame; less than a
/// few records would starve the wire between two wake-ups.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 128 * 1024;
/// Congestion controls that pace what they send by timers.
#[cfg(target_os = "linux")]
const PACING: &[u8] = b"bbr";
/// Congestion controls that do not, the better one first; the last is part of every kernel.
#[cfg(target_os = "linux")]
const UNPACED: [&[u8]; 2] = [b"cubic", b"reno"];

/// Connects to an address; within the host without pacing. It must be chosen here: a connection that began with BBR is sent
/// by timers to its end.
pub async fn connect_address(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    #[cfg(target_os = "linux")]
    if address.ip().is_loopback() {
        unpace(&SockRef::from(&socket));
    }
    socket.connect(address).await
}

/// Prepares a listener: one that only this host reaches hands its choice of no pacing on to what it accepts.
pub fn tune_listener(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    if listener.local_addr().is_ok_and(|address| address.ip().is_loopback()) {
        unpace(&SockRef::from(listener));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
}

/// Sets what every socket under a link needs: no delay for small writes, a short queue in the kernel, and no pacing
/// within the host.
pub fn tune_socket(tcp: &TcpStream) -> io::Result<()> {
    tune_end(tcp)?;
    #[cfg(target_os = "linux")]
    SockRef::from(tcp).set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
    Ok(())
}

/// Sets what a socket at the end of a session needs, an application's or a target's: no delay for small writes (a shell's
/// key strokes must not wait for acknowledgements), and no pacing within the host.
pub fn tune_end(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    unpace_within_host(tcp);
    Ok(())
}

#[cfg(target_os = "linux")]
fn unpace_within_host(tcp: &TcpStream) {
    let (Ok(local), Ok(peer)) = (tcp.local_addr(), tcp.peer_addr()) else { return };
    if peer.ip().is_loopback() || peer.ip() == local.ip() {
        unpace(&SockRef::from(tcp));
    }
}

/// There is no bottleneck to be found between two programs of one host: BBR, where it is the system's default, only costs
/// them timers and throughput there. Elsewhere the system's choice stands. This is worth trying, and nothing fails by it.
#[cfg(target_os = "linux")]
fn unpace(socket: &SockRef<'_>) {
    if socket.tcp_congestion().is_ok_and(|name| name.starts_with(PACING)) {
        let _ = UNPACED.iter().find(|name| socket.set_tcp_congestion(name).is_ok());
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn is_paced(socket: &SockRef<'_>) -> io::Result<bool> {
        Ok(socket.tcp_congestion()?.starts_with(PACING))
    }

    #[tokio::test]
    async fn a_connection_within_the_host_is_not_paced() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        // A kernel without BBR has nothing to be mended.
        let _ = SockRef::from(&listener).set_tcp_congestion(PACING);
        tune_listener(&listener);
        let tcp = connect_address(listener.local_addr()?).await?;
        let (accepted, _) = listener.accept().await?;
        assert!(!is_paced(&SockRef::from(&tcp))? && !is_paced(&SockRef::from(&accepted))?);
        for tcp in [tcp, accepted] {
            let _ = SockRef::from(&tcp).set_tcp_congestion(PACING);
            tune_socket(&tcp)?;
            assert!(!is_paced(&SockRef::from(&tcp))? && tcp.nodelay()?);
        }
        Ok(())
    }

    #[tokio::test]
    async fn what_others_reach_keeps_the_choice_of_the_system() -> io::Result<()> {
        let listener = TcpListener::bind("0.0.0.0:0").await?;
        let socket = SockRef::from(&listener);
        let _ = socket.set_tcp_congestion(PACING);
        let before = socket.tcp_congestion()?;
        tune_listener(&listener);
        assert_eq!(socket.tcp_congestion()?, before);
        Ok(())
    }
}
