//! One lane from its Open to its end: check the grant, ask the allow-list, connect, accept, carry bytes.

mod not_served;
mod stream;

use crate::{
    allow::{AllowList, Target},
    gateway_clock::GatewayClock,
    held::Streams,
    identity::Identity,
    links::Links,
    live::{Entry, Live},
    status::{Board, Failure, machine_now},
    target::{self, Resolver},
};
use bytes::Bytes;
use not_served::NotServed;
use postern_ids::{Ended, StreamId};
use postern_token::GrantClaims;
use postern_tunnel_io::{
    Forwarded, IncomingLane, Lane, splice,
    stream::{Over, StreamDone},
};
use std::{path::PathBuf, pin::Pin, sync::Arc, time::Instant};
use stream::Granted;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore};

/// The longest explanation that a refusal carries to the gateway.
const DETAIL_MAX_BYTES: usize = 240;

/// What an admitted lane leaves to do.
enum Carriage {
    /// A lane and a target to splice.
    Plain { entry: Entry, lane: Lane, target: TcpStream },
    /// A new stream, held whatever becomes of its lane.
    Stream { entry: Entry, stream: StreamId, carrying: Pin<Box<dyn Future<Output = StreamDone> + Send>> },
}

/// Everything that lanes are served with; shared by all links of the process.
#[derive(Debug)]
pub struct Server<R> {
    /// Who we are, with the pinned grant keys.
    pub identity: Arc<Identity>,
    /// Where that is kept.
    pub state_dir: PathBuf,
    /// The gateway's time.
    pub clock: GatewayClock,
    /// What may be dialed.
    pub allow: AllowList,
    /// Names to addresses.
    pub resolver: R,
    /// Sessions now.
    pub live: Live,
    /// Those of them that can outlive their links.
    pub streams: Streams,
    /// Links now.
    pub links: Links,
    /// Dials at once.
    pub dials: Semaphore,
    /// What `status` shows.
    pub board: Arc<Board>,
}

impl<R: Resolver> Server<R> {
    /// Serves one lane: a plain one to its end, a stream's first one to the end of the stream.
    pub async fn serve(self: Arc<Self>, lane: IncomingLane) {
        // Boxed: an idle session must not hold the memory that dialing needed.
        match Box::pin(self.admit(lane)).await {
            Some(Carriage::Plain { entry, lane, target }) => {
                let Forwarded { up, down, end } = splice(lane, target, entry.cut()).await;
                tracing::info!(session = ?entry.session(), up, down, ?end, "session ended");
            }
            Some(Carriage::Stream { entry, stream, carrying }) => {
                let StreamDone { up, down, over } = carrying.await;
                self.streams.settle(stream);
                let Over { code, reason } = over;
                tracing::info!(session = ?entry.session(), up, down, code, reason, "session ended");
            }
            None => {}
        }
    }

    async fn admit(&self, lane: IncomingLane) -> Option<Carriage> {
        let grant = match self.verify(&lane.metadata) {
            Ok(grant) => grant,
            Err(not_served) => return self.refuse_ungranted(lane, &not_served),
        };
        match Granted::of(&grant) {
            Some(granted) => self.admit_stream(lane, &grant, granted).await,
            None => self.admit_plain(lane, &grant).await,
        }
    }

    async fn admit_plain(&self, mut lane: IncomingLane, grant: &GrantClaims) -> Option<Carriage> {
        let (entry, mut target) = match self.connect(grant).await {
            Ok(served) => served,
            Err(not_served) => return self.refuse(lane, grant, &not_served),
        };
        let early = std::mem::take(&mut lane.early);
        let lane = lane.accept(Bytes::new());
        if target.write_all(&early).await.is_err() {
            lane.reset(Ended::TargetFailed.code());
            return None;
        }
        Some(Carriage::Plain { entry, lane, target })
    }

    fn verify(&self, grant: &[u8]) -> Result<GrantClaims, NotServed> {
        let text = std::str::from_utf8(grant).map_err(|_| NotServed::Grant("malformed"))?;
        let now = self.clock.now(Instant::now()).ok_or(NotServed::Grant("the gateway's time is unknown"))?;
        self.identity.pins.verify(text, now).map_err(|rejected| NotServed::Grant(rejected.label()))
    }

    async fn connect(&self, grant: &GrantClaims) -> Result<(Entry, TcpStream), NotServed> {
        // Entered before the dial, so that an order to end the session finds it.
        let entry = self.live.enter(grant.session).ok_or(NotServed::Limit(self.live.limit()))?;
        let tcp = self.dial(grant, &entry).await?;
        Ok((entry, tcp))
    }

    async fn dial(&self, grant: &GrantClaims, entry: &Entry) -> Result<TcpStream, NotServed> {
        let target = Target::parse(&grant.target_host, grant.target_port)?;
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
        Ok(tcp)
    }

    fn refuse_ungranted(&self, lane: IncomingLane, not_served: &NotServed) -> Option<Carriage> {
        tracing::warn!(refusal = not_served.label(), reason = %not_served, "lane without a good grant refused");
        self.turn_away(lane, not_served)
    }

    fn refuse(&self, lane: IncomingLane, grant: &GrantClaims, not_served: &NotServed) -> Option<Carriage> {
        let (session, refusal) = (grant.session, not_served.label());
        if not_served.is_ordinary() {
            tracing::info!(%session, refusal, reason = %not_served, "lane refused");
        } else {
            tracing::warn!(%session, refusal, reason = %not_served, "lane refused");
        }
        self.turn_away(lane, not_served)
    }

    fn turn_away(&self, lane: IncomingLane, not_served: &NotServed) -> Option<Carriage> {
        let reason = not_served.to_string();
        lane.refuse(not_served.code(), truncate(&reason).as_bytes());
        if !not_served.is_ordinary() {
            let at = machine_now();
            self.board.update(|status| {
                status.refused_total += 1;
                status.last_refusal = Some(Failure { at, reason });
            });
        }
        None
    }
}

fn truncate(text: &str) -> &str {
    let end = (0..=DETAIL_MAX_BYTES.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
