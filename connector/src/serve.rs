//! One lane from its Open to its end: check the grant, ask the allow-list, connect, accept, carry bytes.

use crate::{
    allow::{AllowList, Target},
    gateway_clock::GatewayClock,
    identity::Identity,
    live::{Entry, Live},
    status::{Board, Failure, machine_now},
    target::{self, DialTargetError, Resolver},
};
use bytes::Bytes;
use postern_ids::{Ended, Refusal, SessionId};
use postern_token::{Expect, GrantClaims, verify_grant};
use postern_tunnel_io::{Forwarded, IncomingLane, splice};
use std::{sync::Arc, time::Instant};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore};

/// The longest explanation that a refusal carries to the gateway.
const DETAIL_MAX_BYTES: usize = 240;

/// Why a lane is not served.
#[derive(Debug, thiserror::Error)]
enum NotServed {
    #[error("the grant was refused: {0}")]
    Grant(&'static str),
    #[error("the target cannot be dialed: {0}")]
    Target(#[from] crate::allow::TargetError),
    #[error(transparent)]
    Dial(#[from] DialTargetError),
    #[error("this connector carries {0} sessions, its limit")]
    Limit(usize),
    #[error("the session ended before it began")]
    Cut(Ended),
}

impl NotServed {
    fn refusal(&self) -> Refusal {
        match self {
            Self::Grant(_) => Refusal::GrantRefused,
            Self::Target(_) | Self::Dial(DialTargetError::NotAllowed(_)) => Refusal::TargetNotAllowed,
            Self::Dial(
                DialTargetError::Resolve { .. }
                | DialTargetError::Connect { .. }
                | DialTargetError::Deadline { .. },
            ) => Refusal::TargetUnreachable,
            Self::Limit(_) => Refusal::Limit,
            Self::Cut(_) => Refusal::Denied,
        }
    }
}

/// Everything that lanes are served with; shared by all links of the process.
#[derive(Debug)]
pub struct Server<R> {
    /// Who we are, with the pinned grant keys.
    pub identity: Arc<Identity>,
    /// The gateway's time.
    pub clock: GatewayClock,
    /// What may be dialed.
    pub allow: AllowList,
    /// Names to addresses.
    pub resolver: R,
    /// Sessions now.
    pub live: Live,
    /// Dials at once.
    pub dials: Semaphore,
    /// What `status` shows.
    pub board: Arc<Board>,
}

impl<R: Resolver> Server<R> {
    /// Serves one lane to its end.
    pub async fn serve(self: Arc<Self>, mut lane: IncomingLane) {
        // Boxed: an idle session must not hold the memory that dialing needed.
        let (session, served) = Box::pin(self.admit(&lane.metadata)).await;
        let (entry, mut tcp) = match served {
            Ok(served) => served,
            Err(not_served) => return self.refuse(lane, session, &not_served),
        };
        let early = std::mem::take(&mut lane.early);
        let lane = lane.accept(Bytes::new());
        if tcp.write_all(&early).await.is_err() {
            return lane.reset(Ended::TargetFailed.code());
        }
        drop(early);
        let Forwarded { up, down, end } = splice(lane, tcp, entry.cut()).await;
        tracing::info!(session = ?entry.session(), up, down, ?end, "session ended");
    }

    async fn admit(&self, grant: &[u8]) -> (Option<SessionId>, Result<(Entry, TcpStream), NotServed>) {
        match self.verify(grant) {
            Ok(grant) => (Some(grant.session), self.connect(&grant).await),
            Err(not_served) => (None, Err(not_served)),
        }
    }

    fn verify(&self, grant: &[u8]) -> Result<GrantClaims, NotServed> {
        let text = std::str::from_utf8(grant).map_err(|_| NotServed::Grant("malformed"))?;
        let now = self.clock.now(Instant::now()).ok_or(NotServed::Grant("the gateway's time is unknown"))?;
        let audience = self.identity.enrolled.connector.to_string();
        let expect = Expect { issuer: &self.identity.enrolled.issuer, audience: &audience };
        let verified = verify_grant(text, &self.identity.grant_keys, expect, now);
        Ok(verified.map_err(|rejected| NotServed::Grant(rejected.label()))?.into_inner())
    }

    async fn connect(&self, grant: &GrantClaims) -> Result<(Entry, TcpStream), NotServed> {
        let target = Target::parse(&grant.target_host, grant.target_port)?;
        // Entered before the dial, so that an order to end the session finds it.
        let entry = self.live.enter(grant.session).ok_or(NotServed::Limit(self.live.limit()))?;
        let cut = entry.cut();
        let dial = async {
            // Never closed; the permit bounds how many dials wait at once.
            let _permit = self.dials.acquire().await;
            target::connect(&target, &self.allow, &self.resolver).await
        };
        let tcp = tokio::select! {
            ended = cut.wait() => return Err(NotServed::Cut(ended)),
            tcp = dial => tcp?,
        };
        self.board.update(|status| status.sessions_total += 1);
        tracing::info!(session = %grant.session, principal = grant.principal, resource = grant.resource_name,
            %target, "session opened");
        Ok((entry, tcp))
    }

    fn refuse(&self, lane: IncomingLane, session: Option<SessionId>, not_served: &NotServed) {
        let reason = not_served.to_string();
        tracing::warn!(?session, refusal = not_served.refusal().label(), reason, "lane refused");
        lane.refuse(not_served.refusal().code(), truncate(&reason).as_bytes());
        let at = machine_now();
        self.board.update(|status| {
            status.refused_total += 1;
            status.last_refusal = Some(Failure { at, reason });
        });
    }
}

fn truncate(text: &str) -> &str {
    let end = (0..=DETAIL_MAX_BYTES.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
