//! Looking after the sessions that wait: what was cut or waited too long is ended, what came from a connector is decided.

use super::{
    admit::Door,
    again::{Grounds, No},
    duty::Duty,
    ending::Ending,
    held::HeldOf,
};
use crate::policies::PrincipalError;
use postern_ids::Ended;
use postern_policy::model::{Principal, PrincipalId};
use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How often what waits is looked at. Each pass over the live sessions looks at once; this is for what only time changes.
const LOOK: Duration = Duration::from_millis(250);
/// How often sessions are tried that could not be decided, because their principal could not be read or policy is stale.
const RETRY: Duration = Duration::from_secs(1);

/// Looks after them for ever.
pub async fn keep(door: Arc<Door>) -> Infallible {
    let mut retry_at = Instant::now();
    loop {
        let now = Instant::now();
        let is_told = tokio::select! {
            () = door.held().undecided.notified() => true,
            () = sleep_until(now + LOOK) => false,
        };
        door.held().sweep();
        if is_told || Instant::now() >= retry_at {
            retry_at = Instant::now() + RETRY;
            door.decide_waiting().await;
        }
        #[expect(clippy::cast_precision_loss, reason = "the table is bounded far below 2^52")]
        metrics::gauge!("postern_sessions_held").set(door.held().waiting() as f64);
    }
}

impl Door {
    /// Decides what waits to be decided. A store that does not answer is asked once, not once for each session.
    async fn decide_waiting(&self) {
        let mut by_principal: HashMap<PrincipalId, Vec<HeldOf>> = HashMap::new();
        for of in self.held.all_undecided() {
            by_principal.entry(of.principal).or_default().push(of);
        }
        for (id, sessions) in by_principal {
            let principal = match self.policies.principals.get(id).await {
                Ok(principal) => Some(principal),
                Err(PrincipalError::Unknown) => None,
                Err(PrincipalError::Unavailable) => return,
            };
            for of in sessions {
                self.decide_held(&of, principal.as_ref());
                tokio::task::yield_now().await;
            }
        }
    }

    fn decide_held(&self, of: &HeldOf, principal: Option<&Arc<Principal>>) {
        let Some((hold, duty)) = self.held.take(of) else { return };
        let facts = duty.undecided.clone();
        let mut ending = Ending::new(duty, Some(hold), Arc::clone(&self.carried));
        // Decided meanwhile, by its client that came back.
        let Some(facts) = facts else { return };
        let no = match principal {
            Some(principal) => {
                let principal = Arc::clone(principal);
                let grounds = Grounds { principal, credential: facts.credential, source: facts.source };
                let mut no = None;
                ending.note(|duty: &mut Duty| no = self.decide_again(of, duty, grounds).err());
                no
            }
            // A principal that is gone keeps no session.
            None => return over(ending, Ended::UserDisabled),
        };
        match no {
            // Dropped, it waits.
            None | Some(No::Later(_)) => {}
            Some(No::NotServed) => over(ending, Ended::Revoked),
            Some(No::Asker(deny)) => {
                self.record_no(&deny);
                over(ending, deny.reason().as_ended());
            }
            Some(No::Over(deny, ended)) => {
                self.record_no(&deny);
                over(ending, ended);
            }
        }
    }
}

/// Cut first, record after.
fn over(ending: Ending, ended: Ended) {
    ending.kill(ended);
    ending.end(ended, 0, 0);
}
