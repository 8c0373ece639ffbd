//! The honest shells at both ends of a stream.

mod app;
mod attempt;
mod carrier;
pub(crate) mod client;
pub(crate) mod connector;
mod older;

pub(crate) use app::App;
pub(crate) use attempt::Moment;
pub(crate) use client::Client;
pub(crate) use connector::Connector;

use crate::stage::{LaneAt, Stage};
use bytes::Bytes;

/// What `writable` promised, `write` must take.
pub(crate) fn write_all(stage: &mut Stage, (end, lane): LaneAt, pieces: Vec<Bytes>) -> Result<(), String> {
    for mut piece in pieces {
        let len = piece.len();
        match stage.net.link(end).write(lane, &mut piece) {
            Ok(taken) if taken == len => {}
            other => return Err(format!("D13: a lane took {other:?} of {len} promised bytes")),
        }
    }
    Ok(())
}
