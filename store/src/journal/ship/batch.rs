//! Records as what they say about decisions and sessions.

use crate::{
    StoreError,
    journal::{
        read::Record,
        record::{DecisionIndex, DecisionIndexed, EndBody, LeftBody, RecordKind},
    },
};
use postern_ids::{Ended, SessionId};
use postern_policy::model::Credential;
use serde::de::DeserializeOwned;

/// What a batch of records says, each kind in the order of the records.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) decisions: Vec<Decided>,
    pub(super) ends: Vec<End>,
    pub(super) carried: Vec<Carried>,
}

/// A decision, with its position.
pub(super) struct Decided {
    pub(super) sequence: u64,
    /// Whether a session began, or went on, with it.
    pub(super) is_allowed: bool,
    pub(super) generation: u32,
    pub(super) started_at: i64,
    pub(super) index: DecisionIndex,
}

/// The end of a session, as one gateway saw it.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) session: SessionId,
    pub(super) generation: u32,
    pub(super) ended: Ended,
    pub(super) at: i64,
}

/// Bytes of a session that one gateway carried.
#[derive(Clone, Copy)]
pub(super) struct Carried {
    pub(super) session: SessionId,
    pub(super) up: u64,
    pub(super) down: u64,
}

impl Batch {
    pub(super) fn read(records: &[Record]) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        for record in records {
            batch.take(record)?;
        }
        Ok(batch)
    }

    fn take(&mut self, record: &Record) -> Result<(), StoreError> {
        match record.kind {
            RecordKind::Admitted | RecordKind::Resumed | RecordKind::Denied => {
                let body: DecisionIndexed = parse(record)?;
                self.decisions.push(Decided {
                    sequence: record.sequence,
                    is_allowed: record.kind != RecordKind::Denied,
                    generation: body.generation,
                    started_at: body.started_at.unwrap_or(record.at).as_micros(),
                    index: body.decision,
                });
            }
            RecordKind::Ended => {
                let EndBody { session, generation, ended, bytes_up: up, bytes_down: down } = parse(record)?;
                self.ends.push(End { session, generation, ended, at: record.at.as_micros() });
                self.carried.push(Carried { session, up, down });
            }
            RecordKind::Left => {
                let LeftBody { session, bytes_up: up, bytes_down: down, .. } = parse(record)?;
                self.carried.push(Carried { session, up, down });
            }
            RecordKind::Suppressed | RecordKind::Requests => {}
        }
        Ok(())
    }
}

impl Decided {
    pub(super) fn sign_in(&self) -> Option<String> {
        match &self.index.credential {
            Credential::SignIn(sign_in) => Some(sign_in.id.to_string()),
            Credential::Token(_) | Credential::None => None,
        }
    }

    pub(super) fn resource(&self) -> String {
        self.index.resource.as_ref().map(|resource| resource.id.to_string()).unwrap_or_default()
    }
}

fn parse<T: DeserializeOwned>(record: &Record) -> Result<T, StoreError> {
    serde_json::from_str(&record.body)
        .map_err(|error| StoreError::corrupt("journal", format!("record {}: {error}", record.sequence)))
}
