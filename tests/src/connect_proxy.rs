//! A corporate proxy: it takes CONNECT, and leads every name to this machine. It is also how programs that do not know that names
//! below `localhost` are this machine's reach them.

use anyhow::Result;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A request is there at once, or never.
const PATIENCE: Duration = Duration::from_secs(10);
const HEAD_MAX: usize = 8 * 1024;

/// A proxy on a loopback port that lives as long as the program.
#[derive(Debug)]
pub struct ConnectProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ConnectProxy {
    /// Listens, with two threads per connection.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let notes = Arc::clone(&notes);
                // Whoever is not served sees a closed connection, which is what it is.
                std::thread::spawn(move || serve(stream, &notes));
            }
        });
        Ok(Self { address, asked })
    }

    /// The value for `HTTPS_PROXY`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked to connect to, as `host:port`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut stream: TcpStream, asked: &Mutex<Vec<String>>) -> io::Result<()> {
    let place = wanted(&mut stream)?;
    let port = place.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or(io::ErrorKind::InvalidData)?;
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(place);
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (from, to) = (stream.try_clone()?, far.try_clone()?);
    let up = std::thread::spawn(move || pass(from, to));
    pass(far, stream);
    let _ = up.join();
    Ok(())
}

/// The authority of a CONNECT. It is read byte by byte: what follows belongs to TLS.
fn wanted(stream: &mut TcpStream) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_MAX {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    stream.set_read_timeout(None)?;
    let head = String::from_utf8_lossy(&head);
    let place = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    place.map(str::to_owned).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
