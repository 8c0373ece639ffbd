//! What a client asks for when it opens a lane, turned into an open session: a new one, or one that goes on.

use super::{Caller, shared::ClientIngress};
use crate::{
    connectors::Home,
    policies::{PrincipalError, wall_clock},
    sessions::{Asking, HeldOf, OpenSession, Refused, Resuming},
    signing::{Facts, Stated, StreamAttempt},
};
use bytes::Bytes;
use postern_api::{
    Action as AskedAction,
    tunnel::{LaneRequest, OpenRequest, ResumeRequest},
};
use postern_ids::{InstanceId, Name, Refusal, ResourceId};
use postern_policy::{Action, Asked, model::Principal};
use postern_tunnel_io::stream::{Attach, read_attach};
use std::{net::IpAddr, sync::Arc, time::Instant};

/// The way in, for the record.
const INGRESS: &str = "client";

/// One lane's request, and who makes it.
pub(super) struct Request<'a> {
    pub(super) ingress: &'a ClientIngress,
    pub(super) caller: &'a Caller,
    pub(super) source: IpAddr,
    /// The first bytes of the lane.
    pub(super) early: Bytes,
}

impl Request<'_> {
    /// Opens what is asked for.
    pub(super) async fn open(self, metadata: &[u8]) -> Result<OpenSession, Refused> {
        let request = LaneRequest::read(metadata).map_err(|_| bad_request())?;
        if self.ingress.lifecycle.is_stopping() {
            return Err(Refused::early(Refusal::Draining));
        }
        match request {
            LaneRequest::Open(open) => self.open_session(&open).await,
            LaneRequest::Resume(resume) => counted(self.resume(&resume).await),
        }
    }

    async fn open_session(self, open: &OpenRequest) -> Result<OpenSession, Refused> {
        let (resource, action) = asked(open)?;
        let attempt = if open.resumable { Some(self.first_attempt()?) } else { None };
        if let Some(of) = attempt.and_then(|attempt| self.known(&attempt, &resource)) {
            return counted(self.go_on(of, None, attempt).await);
        }
        let began = Instant::now();
        let Some(credential) = self.caller.for_new_sessions() else {
            return Err(Refused::early(Refusal::Unauthenticated));
        };
        let principal = self.principal().await?;
        let source = self.source;
        let asking = Asking { principal, credential, resource, action, source, ingress: INGRESS };
        let session = self.ingress.door.admit(asking, attempt).await?;
        let opened = session.open(&self.ingress.lanes, self.early).await?;
        metrics::histogram!("postern_admission_seconds").record(began.elapsed().as_secs_f64());
        Ok(opened)
    }

    /// The session of this very stream, whose client did not hear that it was opened. Somebody else's is as good as none.
    fn known(&self, attempt: &StreamAttempt, resource: &Asked) -> Option<HeldOf> {
        let of = self.ingress.door.held().find(attempt.stream(), attempt.key())?;
        let snapshot = self.ingress.policies.snapshot();
        let is_asked = snapshot.asked(resource).is_some_and(|resource| resource.id == of.resource);
        (of.principal == self.caller.principal && is_asked).then_some(of)
    }

    async fn resume(self, resume: &ResumeRequest) -> Result<OpenSession, Refused> {
        // Whatever is wrong with a ticket, and whosever it is, the answer is that of a session that nobody knows (T8).
        let unknown = || Refused::early(Refusal::ResumeUnknown);
        let read = self.ingress.signer.read_ticket(&resume.ticket, wall_clock());
        let (stated, instance) = read.map_err(|rejected| {
            tracing::info!(reason = rejected.label(), "resume.rejected: the ticket");
            unknown()
        })?;
        if stated.facts.principal != self.caller.principal {
            tracing::warn!(
                principal.id = %self.caller.principal, session.id = %stated.session, reason = "ownership",
                "authz.denied: a ticket of somebody else"
            );
            return Err(unknown());
        }
        let attempt = self.further_attempt(&stated, instance)?;
        let home = Home { connector: stated.connector, instance };
        if self.ingress.lanes.is_gone(home) {
            return Err(unknown());
        }
        self.go_on(HeldOf::stated(&stated, home), Some(stated.facts), Some(attempt)).await
    }

    async fn go_on(
        self,
        of: HeldOf,
        stated: Option<Facts>,
        attempt: Option<StreamAttempt>,
    ) -> Result<OpenSession, Refused> {
        let attempt = attempt.ok_or_else(bad_request)?;
        let Some(credential) = self.caller.for_resumes(stated.as_ref()) else {
            return Err(Refused::early(Refusal::PolicyStale));
        };
        let principal = self.principal().await?;
        let source = self.source;
        let resuming = Resuming { of, stated, attempt, principal, credential, source, ingress: INGRESS };
        let session = self.ingress.door.readmit(resuming).await?;
        session.open(&self.ingress.lanes, self.early).await
    }

    async fn principal(&self) -> Result<Arc<Principal>, Refused> {
        self.ingress.policies.principals.get(self.caller.principal).await.map_err(|error| match error {
            PrincipalError::Unknown => Refused::early(Refusal::Unauthenticated),
            PrincipalError::Unavailable => Refused::early(Refusal::PolicyStale),
        })
    }

    /// The attempt of a client that was never welcomed.
    fn first_attempt(&self) -> Result<StreamAttempt, Refused> {
        let (attach, attempt) = self.proven()?;
        if attach.resume_only { Err(bad_request()) } else { Ok(attempt) }
    }

    /// The attempt of a client with this ticket: for its stream, with its key, newer than the one that it was given for.
    fn further_attempt(&self, stated: &Stated, instance: InstanceId) -> Result<StreamAttempt, Refused> {
        let (attach, attempt) = self.proven()?;
        let is_bound = !attach.resume_only || attach.instance == instance.to_bytes();
        if (attempt.stream(), attempt.key()) != (stated.stream, stated.key) || !is_bound {
            return Err(proof_failed());
        }
        if attempt.generation() <= stated.facts.generation {
            return Err(Refused::early(Refusal::Superseded));
        }
        Ok(attempt)
    }

    fn proven(&self) -> Result<(Attach, StreamAttempt), Refused> {
        let (attach, _) = read_attach(&self.early).ok_or_else(bad_request)?;
        let attempt = StreamAttempt::prove(&attach).map_err(|_| proof_failed())?;
        Ok((attach, attempt))
    }
}

fn bad_request() -> Refused {
    Refused::early(Refusal::BadRequest)
}

fn proof_failed() -> Refused {
    Refused::early(Refusal::ProofFailed)
}

/// Counts how a resume came out, and says so in the log.
fn counted(resumed: Result<OpenSession, Refused>) -> Result<OpenSession, Refused> {
    match &resumed {
        Ok(session) => {
            metrics::counter!("postern_resumes_total", "outcome" => "resumed").increment(1);
            tracing::info!(session.id = %session.permit().session(), "session.resumed");
        }
        Err(refused) => {
            metrics::counter!("postern_resumes_total", "outcome" => refused.label()).increment(1);
            tracing::info!(reason = refused.label(), "resume.rejected: {}", refused.label());
        }
    }
    resumed
}

fn asked(open: &OpenRequest) -> Result<(Asked, Action), Refused> {
    let action = match open.action {
        AskedAction::Connect => Action::Connect,
        AskedAction::Http => return Err(bad_request()),
    };
    let resource = if open.resource.starts_with(ResourceId::PREFIX) {
        open.resource.parse().map(Asked::Id).map_err(|_| bad_request())?
    } else {
        open.resource.parse::<Name>().map(Asked::Name).map_err(|_| bad_request())?
    };
    Ok((resource, action))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<Refusal> {
        let open: OpenRequest = serde_json::from_str(text).ok()?;
        asked(&open).err().map(|refused| refused.refusal)
    }

    #[test]
    fn t12_what_names_no_resource_is_refused() {
        assert_eq!(refused(r#"{"v":1,"resource":"db-1","action":"connect"}"#), None);
        for bad in [
            r#"{"v":1,"resource":"../db","action":"connect"}"#,
            r#"{"v":1,"resource":"res_x","action":"connect"}"#,
            r#"{"v":1,"resource":"db-1","action":"http"}"#,
        ] {
            assert_eq!(refused(bad), Some(Refusal::BadRequest), "{bad}");
        }
    }
}
