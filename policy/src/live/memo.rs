//! Verdicts remembered within one pass: many sessions of one person at one resource are one question.

use crate::{
    alike::Alike, evaluate::evaluate, judge::Evaluated, places::Placed, request::Request, snapshot::Snapshot,
};
use postern_ids::Timestamp;
use std::{collections::HashMap, sync::Arc};

/// The verdicts of one pass: one snapshot, one instant.
#[derive(Debug, Default)]
pub(super) struct Memo {
    verdicts: HashMap<Alike, Evaluated>,
}

impl Memo {
    pub(super) fn verdict(
        &mut self,
        request: &Request,
        placed: &Arc<Placed>,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Evaluated {
        let verdict = self.verdicts.entry(Alike::of(request, placed)).or_insert_with(|| {
            evaluate(request, placed, &snapshot.compiled, &snapshot.places.groups, now).map(Arc::new)
        });
        verdict.clone()
    }
}
