//! Connects the two sides and pumps until both directions are over.

use super::connection::Connection;
use super::{LOOK_EVERY, Shared, Way, pump};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Connects and pumps until the end.
pub(super) fn serve(near: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    near.set_nodelay(true)?;
    let far = match connect_on(shared) {
        Ok(far) => far,
        Err(error) => {
            SockRef::from(&near).set_linger(Some(Duration::ZERO))?;
            return Err(error);
        }
    };
    let (near, far) = (Arc::new(near), Arc::new(far));
    let connection = Arc::new(Connection::new(&near, &far, shared.orders().cut_after));
    shared.enter(&connection);
    let up = {
        let (connection, shared) = (Arc::clone(&connection), Arc::clone(shared));
        let (near, far) = (Arc::clone(&near), Arc::clone(&far));
        std::thread::spawn(move || pump::run(&connection, &shared, Way::Up, &near, &far))
    };
    pump::run(&connection, shared, Way::Down, &far, &near);
    // A pump that panicked has let go of its sockets, which is what is left to do.
    let _ = up.join();
    // From here on the connection alone holds the sockets, so that closing them is up to it.
    drop((near, far));
    connection.end(shared);
    Ok(())
}

/// Dials the far side, from the ordered address, once nothing is blocked.
fn connect_on(shared: &Shared) -> io::Result<TcpStream> {
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let (to, source) = loop {
        let orders = shared.orders().clone();
        if orders.is_refusing {
            return Err(refused());
        }
        if !orders.up.is_blocked && !orders.down.is_blocked {
            break (orders.leads_to.ok_or_else(refused)?, orders.source);
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let stream = match source {
        None => TcpStream::connect(to)?,
        Some(source) => connect_from(source, to)?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn connect_from(source: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SockAddr::from(SocketAddr::from((source, 0))))?;
    socket.connect(&SockAddr::from(to))?;
    Ok(socket.into())
}
