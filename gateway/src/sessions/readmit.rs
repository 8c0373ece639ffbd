//! A resume is a new admission of the same session (D12): proven, decided on the policy of this moment, recorded, and only
//! then carried again. The order is that of [`Door::admit`].

use super::{
    admit::{Door, not_recorded, over_limit},
    again::{Grounds, No},
    duty::{Duty, Told},
    ending::Ending,
    held::{Claimed, HeldOf, Known},
    refused::Refused,
    session::Session,
    stream::Stream,
};
use crate::{
    policies::wall_clock,
    signing::{Facts, StreamAttempt},
};
use postern_ids::{DecisionId, Ended, Refusal};
use postern_policy::{
    Permit,
    model::{Credential, Principal, PrincipalId},
};
use postern_store::journal::SessionFacts;
use postern_tunnel_io::Detach;
use std::{net::IpAddr, sync::Arc, time::Instant};

/// Who wants a session to go on. That the session is theirs and the stream's key in their hands is proven.
#[derive(Debug, Clone)]
pub struct Resuming {
    /// The session.
    pub of: HeldOf,
    /// What its ticket states; none where it is known here without one.
    pub stated: Option<Facts>,
    /// The client's attempt.
    pub attempt: StreamAttempt,
    /// Who, as last read.
    pub principal: Arc<Principal>,
    /// What proves it now.
    pub credential: Credential,
    /// From where.
    pub source: IpAddr,
    /// The way in, for the record.
    pub ingress: &'static str,
}

/// A claimed session, and the newest attempt before; none if nobody here knew of the session.
struct InHand {
    ending: Ending,
    before: Option<u32>,
}

impl Door {
    /// Lets a held session go on, or says why not. What is refused for good is over, at its connector too.
    pub async fn readmit(&self, resuming: Resuming) -> Result<Session, Refused> {
        let order = Detach::new();
        let mut hand = self.claim(&resuming, &order).await?;
        let permit = match self.decide_resume(&mut hand, &resuming) {
            Ok(permit) => permit,
            Err(no) => return Err(self.refuse(hand, no)),
        };
        let decision = permit.decision();
        let facts = SessionFacts {
            ingress: resuming.ingress,
            connector: Some(resuming.of.home.connector),
            generation: resuming.attempt.generation(),
            at: wall_clock(),
        };
        hand.ending.note(|duty| duty.generation = duty.generation.max(resuming.attempt.generation()));
        // Not recorded, it waits as before: whether the record is on disk is not known, so this attempt is not forgotten.
        let admitted =
            self.journal.resumed(permit, facts).await.map_err(|error| not_recorded(decision, error))?;
        if let Some(ended) = hand.ending.cut().ended() {
            return Err(cut(hand, ended, decision));
        }
        let held = Arc::clone(&self.held);
        let stream = Stream::again(resuming.attempt, held, order, (resuming.of.home, hand.before));
        Ok(Session::new(admitted, hand.ending, Some(stream)))
    }

    /// Takes the session from whoever has it: a lane that carries it lets go, and what it carried is remembered.
    async fn claim(&self, resuming: &Resuming, order: &Detach) -> Result<InHand, Refused> {
        let principal = resuming.of.principal;
        self.limits.again(principal, Instant::now()).map_err(|over| over_limit(principal, over))?;
        let claimed = self.held.claim(&resuming.of, resuming.attempt.generation(), order).await?;
        let Claimed { hold, was } = claimed;
        let (duty, before) = match (was, &resuming.stated) {
            (Some(Known { duty, before }), _) => (duty, Some(before)),
            (None, Some(stated)) => (self.unknown(&resuming.of, stated), None),
            // It was known a moment ago; without a ticket nothing says since when it lives.
            (None, None) => {
                hold.forget();
                return Err(Refused::early(Refusal::Superseded));
            }
        };
        let mut hand = InHand { ending: Ending::new(duty, Some(hold), Arc::clone(&self.carried)), before };
        match self.take_place(&mut hand, principal) {
            Ok(()) => Ok(hand),
            Err(refused) => {
                hand.give_up();
                Err(refused)
            }
        }
    }

    fn unknown(&self, of: &HeldOf, stated: &Facts) -> Duty {
        let snapshot = self.policies.snapshot();
        let resource = snapshot.resource(of.resource).map(|resource| resource.name.to_string());
        let told = Told {
            principal: of.principal.to_string(),
            resource: resource.unwrap_or_else(|| of.resource.to_string()),
            started_at: stated.started_at,
        };
        let mut duty = Duty::new(of.session, stated.generation, self.journal.clone(), told);
        duty.undecided = Some(Box::new(stated.clone()));
        duty
    }

    /// A session that comes back here for the first time takes its place among the principal's.
    fn take_place(&self, hand: &mut InHand, principal: PrincipalId) -> Result<(), Refused> {
        let mut placed = Ok(());
        hand.ending.note(|duty| {
            if duty.place.is_none() {
                match self.limits.place(principal, Instant::now()) {
                    Ok(place) => duty.place = Some(place),
                    Err(over) => placed = Err(over_limit(principal, over)),
                }
            }
        });
        placed
    }

    fn decide_resume(&self, hand: &mut InHand, resuming: &Resuming) -> Result<Permit, No> {
        let grounds = Grounds {
            principal: Arc::clone(&resuming.principal),
            credential: resuming.credential.clone(),
            source: resuming.source,
        };
        let mut decided = Err(No::NotServed);
        hand.ending.note(|duty| decided = self.decide_again(&resuming.of, duty, grounds));
        decided
    }

    fn refuse(&self, hand: InHand, no: No) -> Refused {
        let (deny, ended) = match no {
            No::Later(deny) | No::Asker(deny) => (deny, None),
            No::Over(deny, ended) => (deny, Some(ended)),
            No::NotServed => {
                hand.over(Ended::Revoked);
                return Refused::early(Refusal::Revoked);
            }
        };
        self.record_no(&deny);
        let refusal = match ended {
            None => {
                hand.give_up();
                deny.reason().as_refusal()
            }
            Some(ended) => {
                hand.over(ended);
                Refusal::Revoked
            }
        };
        Refused::decided(refusal, deny.decision(), deny.reason().sentence())
    }
}

impl InHand {
    /// Cut first, record after.
    fn over(self, ended: Ended) {
        self.ending.kill(ended);
        self.ending.end(ended, 0, 0);
    }

    /// Nothing was recorded: what waited here waits on, and what was unknown here stays so.
    fn give_up(self) {
        if self.before.is_none() {
            self.ending.forget();
        }
        // Dropped, it waits.
    }
}

fn cut(hand: InHand, ended: Ended, decision: DecisionId) -> Refused {
    hand.over(ended);
    Refused::decided(Refusal::Revoked, decision, ended.sentence())
}
