//! One direction of a connection: reads, holds back as ordered, writes.

use super::connection::{Connection, Doom};
use super::delivery::{Delivery, Piece};
use super::{LOOK_EVERY, Shared, Way};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

const PIECE_BYTES: usize = 64 * 1024;

/// Pumps until the end of the direction or until the connection is doomed.
pub(super) fn run(connection: &Connection, shared: &Shared, way: Way, from: &TcpStream, to: &TcpStream) {
    let mut pump = Pump {
        connection,
        shared,
        way,
        waiting: Delivery::new(shared.chance.branch()),
        read_timeout: Duration::ZERO,
    };
    // An error is a peer that reset; towards the other side that is a reset too.
    if pump.carry(from, to).is_err() {
        connection.doom(Doom::Reset);
    }
}

struct Pump<'a> {
    connection: &'a Connection,
    shared: &'a Shared,
    way: Way,
    waiting: Delivery,
    read_timeout: Duration,
}

impl Pump<'_> {
    fn carry(&mut self, mut from: &TcpStream, to: &TcpStream) -> io::Result<()> {
        let mut buffer = vec![0_u8; PIECE_BYTES];
        to.set_write_timeout(Some(LOOK_EVERY))?;
        let mut at_end = false;
        loop {
            if self.connection.ordered().is_some() {
                return Ok(());
            }
            if self.is_held() {
                std::thread::sleep(LOOK_EVERY);
                continue;
            }
            while let Some(piece) = self.waiting.due(Instant::now()) {
                self.write(to, &piece)?;
            }
            if at_end && self.waiting.is_empty() {
                return to.shutdown(Shutdown::Write);
            }
            if at_end || self.waiting.is_full() {
                std::thread::sleep(self.pause());
                continue;
            }
            self.wait_at_most(from, self.pause())?;
            match from.read(&mut buffer) {
                Ok(0) => at_end = true,
                Ok(count) => self.take(buffer.get(..count).unwrap_or_default().to_vec()),
                Err(error) if is_a_pause(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, piece: Piece) {
        self.connection.note(self.way, &piece);
        self.waiting.put(piece, &self.shared.path(self.way), Instant::now());
    }

    /// Until the next piece is due, but not longer than an order may wait.
    fn pause(&self) -> Duration {
        self.waiting.next_due(Instant::now()).map_or(LOOK_EVERY, |until| until.min(LOOK_EVERY))
    }

    fn wait_at_most(&mut self, from: &TcpStream, limit: Duration) -> io::Result<()> {
        let limit = limit.max(Duration::from_millis(1));
        if self.read_timeout != limit {
            from.set_read_timeout(Some(limit))?;
            self.read_timeout = limit;
        }
        Ok(())
    }

    fn is_held(&self) -> bool {
        let orders = self.shared.orders();
        let path = if self.way == Way::Up { &orders.up } else { &orders.down };
        path.is_blocked || orders.silenced.as_ref().is_some_and(|text| self.connection.has_said(text))
    }

    /// Writes all of it, unless the connection is doomed meanwhile.
    fn write(&self, mut to: &TcpStream, piece: &[u8]) -> io::Result<()> {
        let mut rest = piece;
        while !rest.is_empty() && self.connection.ordered().is_none() {
            match to.write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if is_a_pause(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is_a_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
