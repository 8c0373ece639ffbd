//! What the gateway and the connector of a scene do.

use super::{
    super::{
        super::SOON,
        near::{pipes, tcp},
    },
    INSTANCE, Scene, Setup,
};
use crate::{
    Cut, Detach, Event, Incoming, IncomingLane, Open, OpenError, forward_resumable,
    stream::{Arrival, Terms, hold, verify_proof},
};
use bytes::Bytes;
use postern_ids::Refusal;
use std::sync::Arc;

impl Scene {
    pub(super) async fn serve_client(self, mut incoming: Incoming) {
        while let Some(event) = incoming.next().await {
            if let Event::Open(lane) = event {
                tokio::spawn(self.clone().pass_on(lane));
            }
        }
    }

    /// The gateway: opens the same lane to the connector, and answers as it did.
    async fn pass_on(self, mut client: IncomingLane) {
        let early = std::mem::take(&mut client.early);
        let Some(link) = self.0.to_connector.lock().unwrap().clone() else {
            return client.refuse(Refusal::NoConnector.code(), b"");
        };
        let opened = match tokio::time::timeout(SOON, link.open(Open { early, ..Open::default() })).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(OpenError::Refused { code, .. })) => return client.refuse(code, b""),
            Ok(Err(OpenError::LinkLost | OpenError::Limit)) | Err(_) => {
                return client.refuse(Refusal::LinkLost.code(), b"");
            }
        };
        let (cut, detach) = (Cut::new(), Detach::new());
        *self.0.cut.lock().unwrap() = cut.clone();
        *self.0.detach.lock().unwrap() = detach.clone();
        let forwarded = forward_resumable(client.accept(Bytes::new()), opened.lane, cut, detach).await;
        self.0.forwarded.lock().unwrap().push(forwarded);
    }

    pub(super) async fn serve_connector(self, mut incoming: Incoming) {
        while let Some(event) = incoming.next().await {
            if let Event::Open(lane) = event {
                self.serve_lane(lane);
            }
        }
    }

    fn serve_lane(&self, lane: IncomingLane) {
        let arrival = match Arrival::read(lane) {
            Ok(arrival) => arrival,
            Err(lane) => return lane.refuse(4400, b"no attach"),
        };
        if !verify_proof(&arrival.attach) {
            self.0.refused.lock().unwrap().push(4411);
            return arrival.lane.refuse(4411, b"");
        }
        let known = self.0.held.lock().unwrap().get(&arrival.attach.stream).cloned();
        let taken = match known {
            Some(held) if held.key() != arrival.attach.key => return arrival.lane.refuse(4411, b""),
            Some(held) => held.attach(arrival),
            None => self.hold(arrival),
        };
        if let Err(rejected) = taken {
            self.0.refused.lock().unwrap().push(rejected.code);
            rejected.lane.refuse(rejected.code, b"");
        }
    }

    fn hold(&self, arrival: Arrival) -> Result<(), crate::stream::Rejected> {
        let Setup { config, expires_at, cut, is_tcp, .. } = self.0.setup.clone();
        let told = self.clone();
        let on_change = Arc::new(move |_, state| told.0.told_connector.lock().unwrap().push(state));
        let (target, near) = if is_tcp { tcp() } else { pipes() };
        let terms = Terms { instance: INSTANCE, config, expires_at, cut, on_change };
        let (held, running) = hold(arrival, near, terms)?;
        self.0.held.lock().unwrap().insert(held.id(), held);
        self.0.targets.try_send(target).unwrap();
        let done = self.0.held_done.clone();
        tokio::spawn(async move { done.try_send(running.await) });
        Ok(())
    }
}
