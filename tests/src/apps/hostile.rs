//! An application that answers with bytes of a test's own making, and keeps the bytes that it was sent.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What an application was sent, by connection.
pub type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// A server that reads one head per answer.
#[derive(Debug)]
pub struct Hostile {
    address: SocketAddr,
    heard: Heard,
}

impl Hostile {
    /// Listens; `answer` is given each connection and the head of its request, and says whether another request may follow.
    pub fn start(answer: impl Fn(&mut TcpStream, &str) -> bool + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, heard) = (listener.local_addr()?, Heard::default());
        let (answer, hears) = (Arc::new(answer), Arc::clone(&heard));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, heard) = (Arc::clone(&answer), Arc::clone(&hears));
                std::thread::spawn(move || serve(stream, &*answer, &heard));
            }
        });
        Ok(Self { address, heard })
    }

    /// One that always answers with these bytes, and closes.
    pub fn saying(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        Self::start(move |stream, _| {
            let _ = stream.write_all(&bytes);
            // The end comes only after the other side had time to read: a reset would take the bytes away.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(stream, &mut std::io::sink());
            false
        })
    }

    /// Where it listens.
    pub fn target(&self) -> String {
        self.address.to_string()
    }

    /// What it was sent, by connection.
    pub fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&mut TcpStream, &str) -> bool, heard: &Heard) {
    let at = {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(Vec::new());
        heard.len() - 1
    };
    loop {
        let mut head = Vec::new();
        let mut byte = [0_u8; 1];
        while !head.ends_with(b"\r\n\r\n") {
            if !matches!(stream.read(&mut byte), Ok(1)) {
                return;
            }
            head.extend(byte);
            if let Some(heard) = heard.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
                heard.extend(byte);
            }
        }
        if !answer(&mut stream, &String::from_utf8_lossy(&head)) {
            return;
        }
    }
}
