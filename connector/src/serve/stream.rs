//! A lane of a resumable session: it opens its stream, or takes it over from an older lane.

use super::{Carriage, NotServed, Server};
use crate::{
    held::{Claim, Known, Opening, Stream},
    live::Entry,
    target::Resolver,
};
use postern_ids::{Ended, StreamId};
use postern_token::GrantClaims;
use postern_tunnel_io::{
    IncomingLane,
    stream::{Arrival, Attach, Rejected, StreamState, Terms, hold, verify_proof},
};
use std::time::Instant;

/// The longest grant that fits into an inventory.
const GRANT_MAX_BYTES: usize = 8 * 1024;

/// What the grant says of the stream that a lane may carry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted {
    stream: StreamId,
    key: [u8; 32],
}

impl Granted {
    /// Nothing for a session that is not resumable.
    pub(super) fn of(grant: &GrantClaims) -> Option<Self> {
        Some(Self { stream: grant.stream?, key: grant.cnf? })
    }
}

impl<R: Resolver> Server<R> {
    /// Serves a lane of a resumable session. Gives something to carry if it is the first of its stream.
    pub(super) async fn admit_stream(
        &self,
        lane: IncomingLane,
        grant: &GrantClaims,
        granted: Granted,
    ) -> Option<Carriage> {
        let arrival = match Arrival::read(lane) {
            Ok(arrival) => arrival,
            Err(lane) => return self.refuse(lane, grant, &NotServed::NoAttach),
        };
        if let Err(not_served) = check(&arrival, granted) {
            return self.refuse(arrival.lane, grant, &not_served);
        }
        // Entered before anything is waited for, so that an order to end the session finds it.
        let mut entry = None;
        loop {
            match self.streams.claim(granted.stream) {
                Claim::Known(known) => return self.attach(&known, arrival, grant),
                Claim::Open(opening) => match self.enter(entry, grant) {
                    Ok(entry) => return self.open_stream(opening, entry, arrival, grant).await,
                    Err(not_served) => return self.refuse(arrival.lane, grant, &not_served),
                },
                Claim::Wait(opened) => {
                    let entered = match self.enter(entry, grant) {
                        Ok(entered) => entered,
                        Err(not_served) => return self.refuse(arrival.lane, grant, &not_served),
                    };
                    let cut = entered.cut();
                    entry = Some(entered);
                    tokio::select! {
                        ended = cut.wait() => return self.refuse(arrival.lane, grant, &NotServed::Cut(ended)),
                        () = opened => {}
                    }
                }
            }
        }
    }

    fn enter(&self, entry: Option<Entry>, grant: &GrantClaims) -> Result<Entry, NotServed> {
        let entry = entry.or_else(|| self.live.enter(grant.session));
        entry.ok_or(NotServed::Limit(self.live.limit()))
    }

    async fn open_stream(
        &self,
        opening: Opening,
        entry: Entry,
        arrival: Arrival,
        grant: &GrantClaims,
    ) -> Option<Carriage> {
        if arrival.attach.resume_only {
            return self.refuse(arrival.lane, grant, &NotServed::UnknownStream);
        }
        let target = match self.dial(grant, &entry).await {
            Ok(target) => target,
            Err(not_served) => return self.refuse(arrival.lane, grant, &not_served),
        };
        let settings = self.streams.settings();
        let terms = Terms {
            instance: settings.instance,
            config: settings.config.clone(),
            expires_at: self.expiry(grant),
            cut: entry.cut(),
            on_change: self.streams.on_change(),
        };
        let token = arrival.lane.metadata.clone();
        match hold(arrival, target, terms) {
            Ok((held, carrying)) => {
                opening.succeed(Stream::new(held, grant.session, entry.cut(), &token));
                Some(Carriage::Stream { entry, carrying: Box::pin(carrying) })
            }
            Err(Rejected { lane, code }) => self.refuse(lane, grant, &NotServed::Rejected(code)),
        }
    }

    fn attach(&self, known: &Known, arrival: Arrival, grant: &GrantClaims) -> Option<Carriage> {
        if let Err(not_served) = may_attach(known, &arrival.attach, grant) {
            return self.refuse(arrival.lane, grant, &not_served);
        }
        let (stream, generation) = (arrival.attach.stream, arrival.attach.generation);
        let token = arrival.lane.metadata.clone();
        match known.held.attach(arrival) {
            Ok(()) => {
                known.held.set_expiry(self.expiry(grant));
                self.streams.set_grant(stream, &token, generation);
                tracing::info!(session = %grant.session, generation, "session goes on over another lane");
                None
            }
            Err(Rejected { lane, code }) => self.refuse(lane, grant, &NotServed::Rejected(code)),
        }
    }

    /// The session's hard expiry on this machine's monotonic clock.
    fn expiry(&self, grant: &GrantClaims) -> Option<Instant> {
        let at = grant.ses.as_ref()?.expires_at?;
        let now = Instant::now();
        now.checked_add(at.since(self.clock.now(now)?))
    }
}

/// Compares who attaches with the grant.
fn check(Arrival { lane, attach, .. }: &Arrival, granted: Granted) -> Result<(), NotServed> {
    if lane.metadata.len() > GRANT_MAX_BYTES {
        return Err(NotServed::Grant("longer than 8 KiB"));
    }
    if attach.stream != granted.stream {
        return Err(NotServed::Proof("it is for another stream than the grant"));
    }
    if attach.key != granted.key {
        return Err(NotServed::Proof("it names another key than the grant"));
    }
    if !verify_proof(attach) {
        return Err(NotServed::Proof("its proof is wrong"));
    }
    Ok(())
}

fn may_attach(known: &Known, attach: &Attach, grant: &GrantClaims) -> Result<(), NotServed> {
    if attach.key != known.held.key() {
        return Err(NotServed::Proof("it names another key than the stream has"));
    }
    if grant.session == known.session {
        return Ok(());
    }
    // A client that never had an answer asks for its stream in a new session. It learns how the old one ended; if that is
    // still to come, it asks again, and the gateway will know better by then.
    match known.held.state() {
        StreamState::Over(over) if over.code == Ended::Finished.code() => Err(NotServed::UnknownStream),
        StreamState::Over(over) => Err(NotServed::Rejected(over.code)),
        StreamState::Attached { .. } | StreamState::Detached { .. } => Err(NotServed::OtherSession),
    }
}
