//! Serving one client's link: each lane is one request for one session.

use super::{Caller, request::Request, shared::ClientIngress};
use crate::{
    listen::ConnectionTicket,
    policies::{earliest_clock, wall_clock},
    sessions::{OpenSession, Refused},
    signing::{SignedAt, Signer},
};
use bytes::Bytes;
use postern_api::{
    ResourceKind as OpenedKind,
    tunnel::{OpenReply, OpenedResource, RefusedDetail},
};
use postern_policy::model::{HostKeyState, ResourceKind};
use postern_tunnel_io::{Event, Incoming, IncomingLane, Link};
use std::{net::IpAddr, sync::Arc};

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
    let (metadata, early) = (lane.metadata.clone(), lane.early.clone());
    let opened = Box::pin(async {
        let (ingress, caller) = (&*served.ingress, &*served.caller);
        let request = Request { ingress, caller, source: served.source, early };
        let session = request.open(&metadata).await?;
        let reply = reply_of(&session, &ingress.signer);
        Ok::<_, Refused>((session, reply))
    });
    match opened.await {
        Ok((session, reply)) => {
            drop((served, metadata));
            let client = lane.accept(reply);
            session.splice(client).await;
        }
        Err(refused) => {
            let code = refused.code();
            let detail = RefusedDetail { decision: refused.decision, message: refused.message.into_owned() };
            lane.refuse(code, &detail.to_json());
        }
    }
}

fn reply_of(session: &OpenSession, signer: &Signer) -> Bytes {
    let permit = session.permit();
    let resource = permit.resource();
    let confirmed = resource.host_keys.iter().filter(|key| key.state == HostKeyState::Confirmed);
    // Without a ticket the session cannot be resumed; it is carried all the same.
    let at = SignedAt { now: wall_clock(), earliest: earliest_clock() };
    let ticket = session.stream().and_then(|(stream, home)| {
        signer.ticket(permit, stream.attempt(), (home.connector, home.instance), at).ok()
    });
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
        ticket,
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
}
