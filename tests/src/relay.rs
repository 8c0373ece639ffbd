//! A TCP relay that a test puts into the way of something, to break that way on demand.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happens to what passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weather {
    /// It passes.
    Fair,
    /// Each piece waits this long, in both directions.
    Slow(Duration),
    /// Nothing passes and nothing ends: a silent partition.
    Silent,
    /// Connections are closed as soon as they come, those that exist are cut.
    Refusing,
}

/// How often a held connection looks whether the weather changed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A relay on a loopback port.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    weather: Weather,
    /// Connections whose client once said this fall silent, whatever the weather.
    silenced: Option<Vec<u8>>,
}

impl Relay {
    /// Relays to an address, in fair weather.
    pub fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State { weather: Weather::Fair, silenced: None }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || drop(connect(&client, to, &state)));
            }
        });
        Ok(Self { address, state })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather for all connections, existing ones included.
    pub fn set(&self, weather: Weather) {
        lock(&self.state).weather = weather;
    }

    /// Silences those connections whose client said `text`; the others are left alone.
    pub fn silence_whoever_said(&self, text: &str) {
        lock(&self.state).silenced = Some(text.as_bytes().to_vec());
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(client: &TcpStream, to: SocketAddr, state: &Arc<Mutex<State>>) -> std::io::Result<()> {
    if lock(state).weather == Weather::Refusing {
        return client.shutdown(Shutdown::Both);
    }
    let server = TcpStream::connect(to)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let said = Arc::new(Mutex::new(Vec::new()));
    let (up_from, up_to) = (client.try_clone()?, server.try_clone()?);
    let (up_state, up_said) = (Arc::clone(state), Arc::clone(&said));
    let up = std::thread::spawn(move || drop(pump(up_from, up_to, &up_state, &up_said, true)));
    drop(pump(server.try_clone()?, client.try_clone()?, state, &said, false));
    let _ = up.join();
    Ok(())
}

fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    state: &Mutex<State>,
    said: &Mutex<Vec<u8>>,
    record: bool,
) -> std::io::Result<()> {
    from.set_read_timeout(Some(LOOK_EVERY))?;
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        if lock(state).weather == Weather::Refusing {
            from.shutdown(Shutdown::Both)?;
            return to.shutdown(Shutdown::Both);
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => return to.shutdown(Shutdown::Write),
            Ok(count) => count,
            Err(error) if is_a_pause(&error) => continue,
            Err(error) => return Err(error),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        if record {
            said.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(piece);
        }
        hold(state, said);
        if lock(state).weather != Weather::Refusing {
            to.write_all(piece)?;
        }
    }
}

/// Waits as long as the weather asks.
fn hold(state: &Mutex<State>, said: &Mutex<Vec<u8>>) {
    if let Weather::Slow(delay) = lock(state).weather.clone() {
        std::thread::sleep(delay);
    }
    while is_silent(state, said) {
        std::thread::sleep(LOOK_EVERY);
    }
}

fn is_silent(state: &Mutex<State>, said: &Mutex<Vec<u8>>) -> bool {
    let state = lock(state);
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let silenced = |text: &Vec<u8>| said.windows(text.len().max(1)).any(|window| window == text.as_slice());
    state.weather == Weather::Silent || state.silenced.as_ref().is_some_and(silenced)
}

fn is_a_pause(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
