//! What the gateway does with a client's lanes: refuses them, or joins them to the site's.

use super::{Resource, Shared, site::Target};
use bytes::Bytes;
use postern_api::tunnel::LaneRequest;
use postern_ids::Refusal;
use postern_tunnel_io::{
    Cut, Detach, Event, Incoming, IncomingLane, Open, OpenError, forward_resumable,
    stream::{read_attach, verify_proof},
};
use std::sync::Arc;

pub(super) async fn serve(mut incoming: Incoming, shared: Arc<Shared>) {
    while let Some(event) = incoming.next().await {
        let Event::Open(lane) = event else { continue };
        let refusing = *shared.refusing.lock().unwrap();
        let refused = match (shared.resource, refusing) {
            (_, Some(refused)) => Some(refused),
            (Resource::Refused(refusal, detail), None) => Some((refusal, detail)),
            (Resource::Shout | Resource::Echo | Resource::Cut(_), None) => None,
        };
        match refused {
            Some((refusal, detail)) => {
                lane.refuse(refusal.code(), detail.as_bytes());
                shared.refused.add();
            }
            None => drop(tokio::spawn(admit(lane, shared.clone()))),
        }
    }
}

async fn admit(lane: IncomingLane, shared: Arc<Shared>) {
    match LaneRequest::read(&lane.metadata).unwrap() {
        LaneRequest::Open(open) if !open.resumable => {
            assert!(lane.early.is_empty());
            let lane = lane.accept(reply(&shared, None));
            Target { resource: shared.resource, site: shared.site.clone() }.serve_lane(lane).await;
        }
        LaneRequest::Open(_) => join(lane, &shared).await,
        LaneRequest::Resume(resume) => {
            let (attach, _) = read_attach(&lane.early).unwrap();
            assert!(attach.resume_only, "a ticket is for going on");
            if !shared.site.admits(&resume.ticket, attach.stream) {
                return lane.refuse(Refusal::ResumeUnknown.code(), b"");
            }
            join(lane, &shared).await;
        }
    }
}

async fn join(lane: IncomingLane, shared: &Shared) {
    let (attach, _) = read_attach(&lane.early).unwrap();
    assert!(verify_proof(&attach), "every attempt is signed");
    let early = lane.early.clone();
    match shared.site.backbone.open(Open { early, ..Open::default() }).await {
        Ok(opened) => {
            let ticket = shared.site.ticket(attach.stream);
            let detach = Detach::new();
            shared.live.lock().unwrap().detaches.push(detach.clone());
            let lane = lane.accept(reply(shared, Some(ticket)));
            forward_resumable(lane, opened.lane, Cut::new(), detach).await;
        }
        Err(OpenError::Refused { code, detail }) => lane.refuse(code, &detail),
        Err(OpenError::LinkLost | OpenError::Limit) => lane.refuse(Refusal::NoConnector.code(), b""),
    }
}

fn reply(shared: &Shared, ticket: Option<String>) -> Bytes {
    let zeros = "0".repeat(26);
    let mut reply = serde_json::json!({
        "session": format!("ses_{zeros}"),
        "decision": format!("dec_{zeros}"),
        "resource": { "id": format!("res_{zeros}"), "name": "bastion", "kind": "ssh" },
        "host_keys": shared.host_keys,
    });
    if let Some(ticket) = ticket {
        reply["ticket"] = ticket.into();
    }
    reply.to_string().into()
}
