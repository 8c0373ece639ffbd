//! The program at an end of a stream: it writes the bytes of its direction and reads those of the other, at its own pace.

use crate::{
    model::Side,
    stage::{Sabotage, Stage, rng::Rng},
};
use bytes::Bytes;
use postern_ids::Ended;
use postern_tunnel_proto::{Read, stream::Stream};
use std::time::{Duration, Instant};

#[derive(Debug, Clone)]
pub(crate) struct App {
    side: Side,
    /// Bytes that it will write.
    total: u64,
    finished: bool,
    pub(super) saw_end: bool,
    /// It does not finish before this.
    lingers_until: Instant,
    /// It reads nothing from then on for as long.
    naps: Option<(Instant, Duration)>,
    /// Its connection breaks then.
    breaks_at: Option<Instant>,
    pub(crate) next_tick: Instant,
    lazy: bool,
}

impl App {
    pub(crate) fn new(side: Side, rng: &mut Rng, now: Instant) -> Self {
        let total = match rng.below(6) {
            0 => rng.below(64),
            1 => rng.below(5_000),
            2 | 3 => rng.below(60_000),
            4 => rng.below(300_000),
            _ => rng.below(900_000),
        };
        let lingers = if rng.one_in(2) { rng.millis(0, 25_000) } else { Duration::ZERO };
        let naps = rng.one_in(4).then(|| (now + rng.millis(0, 3_000), rng.millis(500, 15_000)));
        let breaks_at = rng.one_in(16).then(|| now + rng.millis(100, 20_000));
        let lazy = rng.one_in(4);
        Self {
            side,
            total,
            finished: false,
            saw_end: false,
            lingers_until: now + lingers,
            naps,
            breaks_at,
            next_tick: now,
            lazy,
        }
    }

    /// Writes a little, reads a little.
    pub(super) fn tick(&mut self, stage: &mut Stage, stream: &mut Stream) -> Result<(), String> {
        let now = stage.net.now;
        if now < self.next_tick {
            return Ok(());
        }
        let rng = &mut stage.net.rng;
        self.next_tick = now + if self.lazy { rng.millis(1, 300) } else { rng.micros(200, 30_000) };
        if self.breaks_at.is_some_and(|at| at <= now) {
            self.breaks_at = None;
            self.break_off(stage, stream);
        }
        self.write(stage, stream);
        self.read(stage, stream)
    }

    fn break_off(&self, stage: &mut Stage, stream: &mut Stream) {
        if stream.over().is_some() {
            return;
        }
        let code = match self.side {
            Side::Client => Ended::ClientLost.code(),
            Side::Connector => Ended::TargetFailed.code(),
        };
        stage.model.excuse(stream.id(), code);
        stage.model.saw("a program's connection broke");
        stream.end(code, stage.net.now);
    }

    fn write(&mut self, stage: &mut Stage, stream: &mut Stream) {
        if self.finished || stream.over().is_some() {
            return;
        }
        let most = stage.net.rng.pick(&[1, 100, 5_000, 40_000]);
        let len = 1 + stage.net.rng.below(most);
        let flow = stage.model.stream(stream.id()).flow(self.side.writes());
        let len = usize::try_from(len.min(self.total - flow.written)).unwrap();
        let mut bytes = Bytes::from(flow.bytes(flow.written, len));
        while !bytes.is_empty() {
            match stream.write(&mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(taken) => flow.written += u64::try_from(taken).unwrap(),
            }
        }
        if flow.written == self.total && stage.net.now >= self.lingers_until {
            flow.finished = true;
            stream.finish();
            self.finished = true;
        } else if !bytes.is_empty() {
            stage.model.saw("a replay buffer was full");
        }
    }

    fn read(&mut self, stage: &mut Stage, stream: &mut Stream) -> Result<(), String> {
        let (id, now) = (stream.id(), stage.net.now);
        if self.naps.is_some_and(|(from, time)| from <= now && now < from + time) {
            return Ok(());
        }
        for _ in 0..stage.net.rng.below(8) {
            let max = stage.net.rng.pick(&[1, 1_000, 20_000, usize::MAX]);
            match stream.read(max) {
                Some(Read::Chunk(chunk)) => {
                    stage.model.delivered(id, self.side, &chunk, now)?;
                    if stage.sabotages(Sabotage::DeliversTwice) && stream.generation() > 1 {
                        stage.model.delivered(id, self.side, &chunk, now)?;
                    }
                }
                Some(Read::Finished) if self.saw_end => return Ok(()),
                Some(Read::Finished) => {
                    self.saw_end = true;
                    return stage.model.saw_end(id, self.side);
                }
                Some(Read::Blocked) | None => return Ok(()),
            }
        }
        Ok(())
    }
}
