//! Serving one client's link: each lane is one request for one session.

use super::{Caller, ClientLinks};
use crate::{
    connectors::Lanes,
    lifecycle::Lifecycle,
    listen::ConnectionTicket,
    policies::{Policies, PrincipalError},
    sessions::{Asking, Door, OpenSession, Refused},
};
use bytes::Bytes;
use postern_api::{
    Action as AskedAction, ResourceKind as OpenedKind,
    tunnel::{OpenReply, OpenRequest, OpenedResource, RefusedDetail, VERSION},
};
use postern_ids::{Name, Refusal, ResourceId};
use postern_policy::{
    Action, Asked, Permit,
    model::{HostKeyState, ResourceKind},
};
use postern_tunnel_io::{Event, Incoming, IncomingLane, Link};
use std::{net::IpAddr, sync::Arc, time::Instant};

/// The longest open request: a version, a name of at most 63 characters and an action.
const REQUEST_MAX: usize = 1_024;

/// What serving clients needs. There is one per node.
#[derive(Debug)]
pub struct ClientIngress {
    /// The one door.
    pub door: Arc<Door>,
    /// The lanes to targets.
    pub lanes: Lanes,
    /// The principals.
    pub policies: Arc<Policies>,
    /// All client links.
    pub links: Arc<ClientLinks>,
    /// The node's life.
    pub lifecycle: Lifecycle,
}

/// One client's link.
struct Served {
    ingress: Arc<ClientIngress>,
    caller: Arc<Caller>,
    source: IpAddr,
}

/// Serves the link until it ends; each lane is a task of its own. The ticket is the connection's, given back at the end.
pub async fn serve(
    ingress: Arc<ClientIngress>,
    caller: Caller,
    source: IpAddr,
    ticket: Arc<ConnectionTicket>,
    (link, mut incoming): (Link, Incoming),
) {
    let caller = Arc::new(caller);
    let _held = ingress.links.enter(link, Arc::clone(&caller));
    let lifecycle = ingress.lifecycle.clone();
    let served = Arc::new(Served { ingress, caller, source });
    while let Some(event) = incoming.next().await {
        match event {
            Event::Open(lane) => lifecycle.spawn(serve_lane(Arc::clone(&served), lane)),
            // A client holds no streams, pins no keys and ends its sessions by their lanes.
            Event::GoAway { .. } | Event::Inventory { .. } | Event::Keys(_) | Event::Kill { .. } => {}
        }
    }
    drop(ticket);
}

async fn serve_lane(served: Arc<Served>, lane: IncomingLane) {
    // Boxed, so that a session at rest does not keep the room that its admission needed.
    let (request, early) = (lane.metadata.clone(), lane.early.clone());
    match Box::pin(open(served, request, early)).await {
        Ok((session, reply)) => {
            let client = lane.accept(reply);
            session.splice(client).await;
        }
        Err(refused) => {
            let detail = RefusedDetail { decision: refused.decision, message: refused.message.into_owned() };
            lane.refuse(refused.refusal.code(), &detail.to_json());
        }
    }
}

async fn open(served: Arc<Served>, request: Bytes, early: Bytes) -> Result<(OpenSession, Bytes), Refused> {
    let began = Instant::now();
    let ingress = &served.ingress;
    if ingress.lifecycle.is_stopping() {
        return Err(Refused::early(Refusal::Draining));
    }
    let (resource, action) = parse(&request)?;
    let principal = match ingress.policies.principals.get(served.caller.principal).await {
        Ok(principal) => principal,
        Err(PrincipalError::Unknown) => return Err(Refused::early(Refusal::Unauthenticated)),
        Err(PrincipalError::Unavailable) => return Err(Refused::early(Refusal::PolicyStale)),
    };
    let asking = Asking {
        principal,
        credential: served.caller.credential.clone(),
        resource,
        action,
        source: served.source,
        ingress: "client",
    };
    let session = ingress.door.admit(asking).await?;
    let session = session.open(&ingress.lanes, early).await?;
    let reply = reply_of(session.permit());
    metrics::histogram!("postern_admission_seconds").record(began.elapsed().as_secs_f64());
    Ok((session, reply))
}

/// The whole request, or nothing: what follows it, a field too many or another version are refused (T12).
fn parse(request: &[u8]) -> Result<(Asked, Action), Refused> {
    let bad = || Refused::early(Refusal::BadRequest);
    if request.len() > REQUEST_MAX {
        return Err(bad());
    }
    let request: OpenRequest = serde_json::from_slice(request).map_err(|_| bad())?;
    if request.v != VERSION {
        return Err(bad());
    }
    let action = match request.action {
        AskedAction::Connect => Action::Connect,
        AskedAction::Http => return Err(bad()),
    };
    let resource = if request.resource.starts_with(ResourceId::PREFIX) {
        request.resource.parse().map(Asked::Id).map_err(|_| bad())?
    } else {
        request.resource.parse::<Name>().map(Asked::Name).map_err(|_| bad())?
    };
    Ok((resource, action))
}

fn reply_of(permit: &Permit) -> Bytes {
    let resource = permit.resource();
    let confirmed = resource.host_keys.iter().filter(|key| key.state == HostKeyState::Confirmed);
    let reply = OpenReply {
        session: permit.session(),
        decision: permit.decision(),
        resource: OpenedResource {
            id: resource.id,
            name: resource.name.clone(),
            kind: match resource.kind {
                ResourceKind::Http => OpenedKind::Http,
                ResourceKind::Ssh => OpenedKind::Ssh,
                ResourceKind::Tcp => OpenedKind::Tcp,
            },
        },
        host_keys: confirmed.map(|key| key.key.clone()).collect(),
        ticket: None,
    };
    serde_json::to_vec(&reply).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_at_rest_keeps_a_small_task() {
        const fn size_of_task<A, B, F>(_: &fn(A, B) -> F) -> usize {
            size_of::<F>()
        }
        let task = size_of_task(&(serve_lane as fn(_, _) -> _));
        assert!(task <= 1_536, "{task}");
    }

    #[test]
    fn t12_anything_but_exactly_one_request_is_refused() {
        let good = br#"{"v":1,"resource":"db-1","action":"connect"}"#;
        assert!(parse(good).is_ok());
        let long = format!("{}{}", String::from_utf8_lossy(good), " ".repeat(2_000));
        for bad in [
            &br#"{"v":1,"resource":"db-1","action":"connect"}{"v":1}"#[..],
            br#"{"v":1,"resource":"db-1","action":"connect","target":"10.0.0.1:22"}"#,
            br#"{"v":1,"resource":"db-1","resource":"db-2","action":"connect"}"#,
            br#"{"v":2,"resource":"db-1","action":"connect"}"#,
            br#"{"v":1,"resource":"../db","action":"connect"}"#,
            br#"{"v":1,"resource":"res_x","action":"connect"}"#,
            br#"{"v":1,"resource":"db-1","action":"http"}"#,
            b"",
            b"[]",
            long.as_bytes(),
        ] {
            let refused = parse(bad).err().map(|refused| refused.refusal);
            assert_eq!(refused, Some(Refusal::BadRequest), "{}", String::from_utf8_lossy(bad));
        }
    }
}
