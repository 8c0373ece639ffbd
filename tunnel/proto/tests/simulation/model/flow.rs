//! The bytes of one direction of one stream: their position determines them, so that whoever reads one knows whether it is
//! the right one.

/// Towards the target, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

/// What was written into one direction, and what came out.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    salt: u64,
    pub(crate) written: u64,
    pub(crate) finished: bool,
    pub(crate) delivered: u64,
    pub(crate) ended: bool,
    /// Lengths that a liar stated where they were true.
    pub(crate) fins: Vec<u64>,
}

impl Flow {
    /// A direction unlike that of any other salt.
    pub(super) fn new(salt: u64) -> Self {
        Self { salt, written: 0, finished: false, delivered: 0, ended: false, fins: vec![] }
    }

    pub(crate) fn bytes(&self, from: u64, len: usize) -> Vec<u8> {
        (from..from + u64::try_from(len).unwrap()).map(|at| byte(self.salt, at)).collect()
    }

    /// Whether these are the bytes from this position on.
    pub(super) fn holds(&self, from: u64, bytes: &[u8]) -> bool {
        (from..).zip(bytes).all(|(at, &got)| got == byte(self.salt, at))
    }

    /// The program at the far end reads these.
    pub(super) fn deliver(&mut self, chunk: &[u8]) -> Result<(), String> {
        if self.ended {
            return Err("D12: bytes after the end".into());
        }
        if !self.holds(self.delivered, chunk) {
            return Err(format!("D12: a byte between {} and {} is wrong", self.delivered, chunk.len()));
        }
        self.delivered += u64::try_from(chunk.len()).unwrap();
        if self.delivered > self.written {
            return Err(format!("D12: {} bytes came, {} were written", self.delivered, self.written));
        }
        Ok(())
    }

    /// The program at the far end reads the end.
    pub(super) fn end(&mut self) -> Result<(), String> {
        self.ended = true;
        if self.finished && self.delivered == self.written {
            return Ok(());
        }
        Err(format!("D12: an end after {} of {} bytes", self.delivered, self.written))
    }

    /// Everything arrived, the end too.
    pub(crate) fn is_whole(&self) -> bool {
        self.ended && self.delivered == self.written
    }
}

fn byte(salt: u64, at: u64) -> u8 {
    let word = ((salt << 48) ^ (at >> 3)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (word ^ (word >> 29)).to_le_bytes()[usize::try_from(at & 7).unwrap()]
}
