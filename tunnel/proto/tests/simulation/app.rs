//! The program at an end of a stream: it writes bytes that their position determines, and checks those it reads.

use crate::net::Net;
use bytes::Bytes;
use postern_tunnel_proto::{Read, stream::Stream};
use std::time::Instant;

pub(crate) struct App {
    /// Makes the bytes of this direction unlike those of any other.
    salt: u64,
    total: u64,
    written: u64,
    finished: bool,
    expects_salt: u64,
    pub(crate) expects: u64,
    pub(crate) received: u64,
    pub(crate) saw_end: bool,
    pub(crate) next_tick: Instant,
    lazy: bool,
}

/// The byte at a position of a direction.
fn byte(salt: u64, at: u64) -> u8 {
    let x = (salt ^ (at >> 3)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u8::try_from((x >> ((at & 7) * 7)) & 0xff).unwrap()
}

impl App {
    /// The client's program (`up`) or the target of stream `number`.
    pub(crate) fn pair(net: &mut Net, number: usize) -> [Self; 2] {
        let salt = u64::try_from(number).unwrap() * 2;
        let size = |net: &mut Net| match net.rng.below(4) {
            0 => net.rng.below(64),
            1 => net.rng.below(5_000),
            2 => net.rng.below(60_000),
            _ => net.rng.below(300_000),
        };
        let totals = [size(net), size(net)];
        [0, 1].map(|side| Self {
            salt: salt + u64::try_from(side).unwrap(),
            total: totals[side],
            written: 0,
            finished: false,
            expects_salt: salt + u64::try_from(1 - side).unwrap(),
            expects: totals[1 - side],
            received: 0,
            saw_end: false,
            next_tick: net.now,
            lazy: net.rng.one_in(4),
        })
    }

    /// Writes a little, reads a little.
    pub(crate) fn tick(&mut self, net: &mut Net, stream: &mut Stream) -> Result<(), String> {
        if net.now < self.next_tick {
            return Ok(());
        }
        self.next_tick =
            net.now + if self.lazy { net.rng.millis(1, 300) } else { net.rng.micros(200, 30_000) };
        self.write(net, stream);
        self.read(net, stream)
    }

    fn write(&mut self, net: &mut Net, stream: &mut Stream) {
        if self.finished || stream.over().is_some() {
            return;
        }
        let most = net.rng.pick(&[1, 100, 5_000, 40_000]);
        let len = (self.total - self.written).min(1 + net.rng.below(most));
        let bytes: Vec<u8> = (self.written..self.written + len).map(|at| byte(self.salt, at)).collect();
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            match stream.write(&mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(taken) => self.written += u64::try_from(taken).unwrap(),
            }
        }
        if self.written == self.total {
            stream.finish();
            self.finished = true;
        }
    }

    fn read(&mut self, net: &mut Net, stream: &mut Stream) -> Result<(), String> {
        for _ in 0..net.rng.below(8) {
            let max = net.rng.pick(&[1, 1_000, 20_000, usize::MAX]);
            match stream.read(max) {
                Some(Read::Chunk(chunk)) => self.check(&chunk)?,
                Some(Read::Finished) => {
                    if self.received != self.expects {
                        return Err(format!("end after {} of {} bytes", self.received, self.expects));
                    }
                    self.saw_end = true;
                    return Ok(());
                }
                Some(Read::Blocked) | None => return Ok(()),
            }
        }
        Ok(())
    }

    fn check(&mut self, chunk: &[u8]) -> Result<(), String> {
        if self.saw_end {
            return Err("bytes after the end".into());
        }
        for &got in chunk {
            if got != byte(self.expects_salt, self.received) {
                return Err(format!("byte {} is wrong", self.received));
            }
            self.received += 1;
        }
        Ok(())
    }
}
