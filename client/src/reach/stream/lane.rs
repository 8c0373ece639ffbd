//! What is asked for when a lane is opened, and what an answer means.

use crate::{
    failure::{Failure, chain},
    resource::ResourceRef,
};
use bytes::Bytes;
use postern_api::{
    Action,
    tunnel::{OpenReply, OpenRequest, ResumeRequest, VERSION},
};
use postern_ids::Refusal;
use postern_tunnel_io::{Lane, Link, Open, OpenError, Opened};
use serde::Serialize;
use std::time::Duration;
use tokio::time;

/// A gateway waits up to 5 s for a connector, and a connector up to 10 s for a target. More is a gateway that hangs.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// An open lane to a resource.
#[derive(Debug)]
pub(in crate::reach) struct Reached {
    /// The bytes.
    pub(in crate::reach) lane: Lane,
    /// What the gateway says about it.
    pub(in crate::reach) reply: OpenReply,
}

/// Why no lane was opened.
#[derive(Debug)]
pub(in crate::reach) enum NotOpened {
    /// The gateway was not asked, or says that another one is to be asked.
    Elsewhere(Failure),
    /// The token that the link was dialed with is not good enough any more.
    Unauthenticated(Failure),
    /// Nobody answered, so the gateway may have admitted it all the same.
    Unknown(Failure),
    /// Refused with this code, for a reason that may pass.
    Later(u16, Failure),
    /// Refused with this code, for good.
    Never(u16, Failure),
}

impl NotOpened {
    /// What to tell a person.
    pub(in crate::reach) fn into_failure(self) -> Failure {
        match self {
            Self::Elsewhere(failure)
            | Self::Unauthenticated(failure)
            | Self::Unknown(failure)
            | Self::Later(_, failure)
            | Self::Never(_, failure) => failure,
        }
    }

    fn of(error: &OpenError, link: &Link) -> Self {
        match error {
            OpenError::Refused { code, detail } => Self::refused(*code, Failure::refused(*code, detail)),
            // A link that is still there takes nothing new: it was not even asked.
            OpenError::LinkLost if !link.is_closed() => Self::Elsewhere(Failure::unavailable(chain(error))),
            OpenError::LinkLost => Self::Unknown(Failure::unavailable(chain(error))),
            OpenError::Limit => Self::Later(Refusal::Limit.code(), Failure::unavailable(chain(error))),
        }
    }

    fn refused(code: u16, failure: Failure) -> Self {
        // Other codes say how a stream ended that the connector still remembers.
        let Some(refusal) = Refusal::from_code(code) else { return Self::Never(code, failure) };
        match refusal {
            Refusal::TryNext | Refusal::Draining => Self::Elsewhere(failure),
            Refusal::Unauthenticated => Self::Unauthenticated(failure),
            Refusal::Timeout
            | Refusal::Limit
            | Refusal::NoConnector
            | Refusal::GrantRefused
            | Refusal::NotRecorded
            | Refusal::PolicyStale
            | Refusal::LinkLost
            | Refusal::Superseded => Self::Later(code, failure),
            Refusal::BadRequest
            | Refusal::Denied
            | Refusal::NoSuchResource
            | Refusal::TargetNotAllowed
            | Refusal::TargetUnreachable
            | Refusal::ResumeUnknown
            | Refusal::ProofFailed
            | Refusal::Revoked => Self::Never(code, failure),
        }
    }
}

/// Opens a plain lane, whose bytes are the resource's.
pub(in crate::reach) async fn open_plain(link: &Link, resource: &ResourceRef) -> Result<Reached, NotOpened> {
    ask(link, &open_request(resource, false), Bytes::new()).await
}

/// Opens a lane for a new stream, or for one whose first answer was lost.
pub(super) async fn open(link: &Link, resource: &ResourceRef, early: Bytes) -> Result<Reached, NotOpened> {
    ask(link, &open_request(resource, true), early).await
}

/// Opens a lane to go on with a stream.
pub(super) async fn resume(link: &Link, ticket: &str, early: Bytes) -> Result<Reached, NotOpened> {
    ask(link, &ResumeRequest { v: VERSION, ticket: ticket.to_owned() }, early).await
}

fn open_request(resource: &ResourceRef, resumable: bool) -> OpenRequest {
    OpenRequest { v: VERSION, resource: resource.as_str().to_owned(), action: Action::Connect, resumable }
}

async fn ask(link: &Link, request: &impl Serialize, early: Bytes) -> Result<Reached, NotOpened> {
    let wrong = |what: String| NotOpened::Never(Refusal::BadRequest.code(), Failure::unavailable(what));
    let metadata = serde_json::to_vec(request).map_err(|error| wrong(error.to_string()))?;
    let open = Open { metadata: metadata.into(), early, ..Open::default() };
    let Ok(answer) = time::timeout(ANSWER_MAX, link.open(open)).await else {
        let sentence = format!("the gateway did not answer within {} s", ANSWER_MAX.as_secs());
        return Err(NotOpened::Unknown(Failure::unavailable(sentence)));
    };
    let Opened { lane, metadata } = answer.map_err(|error| NotOpened::of(&error, link))?;
    let reply = serde_json::from_slice(&metadata)
        .map_err(|error| wrong(format!("the gateway's answer is not understood: {error}")))?;
    Ok(Reached { lane, reply })
}
