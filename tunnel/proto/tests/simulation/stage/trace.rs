//! What happened, as a hash that two runs can compare and, when asked for, as lines that a person can read.

use crate::epoch;
use std::{fmt::Arguments, fmt::Write, time::Instant};

#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) hash: u64,
    pub(crate) lines: Option<Vec<String>>,
    scratch: String,
}

impl Trace {
    pub(crate) fn new(keep: bool) -> Self {
        Self { lines: keep.then(Vec::new), ..Self::default() }
    }

    pub(crate) fn say(&mut self, now: Instant, what: Arguments<'_>) {
        self.scratch.clear();
        let micros = now.duration_since(epoch()).as_micros();
        write!(self.scratch, "{micros:>12} µs  {what}").unwrap();
        for byte in self.scratch.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(self.scratch.clone());
        }
    }
}
