//! A lane of a resumable session: it opens its stream, or takes it over from an older lane.

use super::{Carriage, NotServed, Server};
use crate::{
    held::{self, Claim, Opening, Past, Stream},
    live::Entry,
    target::Resolver,
};
use postern_ids::{Ended, SessionId, StreamId};
use postern_token::{GrantClaims, SKEW};
use postern_tunnel_io::{
    IncomingLane,
    stream::{Arrival, Attach, Held, Rejected, Terms, hold, verify_proof},
};
use std::time::Instant;

/// The longest grant that fits into an inventory.
const GRANT_MAX_BYTES: usize = 8 * 1024;
const OTHER_KEY: &str = "it names another key than the stream has";

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
        match self.claim(granted.stream, grant).await {
            Ok((Claim::Open(opening), entry)) => self.open_stream(opening, entry, arrival, grant).await,
            Ok((Claim::Held(held, session), _)) => self.take_over(&held, session, arrival, grant),
            Ok((Claim::Past(past), _)) => self.tell_end(&past, arrival, grant),
            Ok((Claim::Full, _)) => self.refuse(
                arrival.lane,
                grant,
                &NotServed::Remembered(self.streams.settings().remembered_max),
            ),
            Err(not_served) => self.refuse(arrival.lane, grant, &not_served),
        }
    }

    /// Asks for the stream, and waits while somebody else opens it: in the table of sessions, so that an order to end this
    /// one is heard.
    async fn claim(
        &self,
        stream: StreamId,
        grant: &GrantClaims,
    ) -> Result<(Claim, Option<Entry>), NotServed> {
        let mut entry = None;
        loop {
            let opened = match self.streams.claim(stream) {
                Ok(claim) => return Ok((claim, entry)),
                Err(opened) => opened,
            };
            let entered = self.enter(entry, grant)?;
            let cut = entered.cut();
            entry = Some(entered);
            tokio::select! {
                ended = cut.wait() => return Err(NotServed::Cut(ended)),
                () = opened => {}
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
        entry: Option<Entry>,
        arrival: Arrival,
        grant: &GrantClaims,
    ) -> Option<Carriage> {
        if arrival.attach.resume_only {
            return self.refuse(arrival.lane, grant, &NotServed::UnknownStream);
        }
        let entry = match self.enter(entry, grant) {
            Ok(entry) => entry,
            Err(not_served) => return self.refuse(arrival.lane, grant, &not_served),
        };
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
        let (stream, token) = (arrival.attach.stream, arrival.lane.metadata.clone());
        match hold(arrival, target, terms) {
            Ok((held, carrying)) => {
                let grant_of = held::Grant { token: &token, until: self.granted_until(grant) };
                opening.succeed(Stream::new(held, grant.session, entry.cut(), grant_of));
                Some(Carriage::Stream { entry, stream, carrying: Box::pin(carrying) })
            }
            Err(Rejected { lane, code }) => self.refuse(lane, grant, &NotServed::Rejected(code)),
        }
    }

    /// A lane for a stream that runs in this session.
    fn take_over(
        &self,
        held: &Held,
        session: SessionId,
        arrival: Arrival,
        grant: &GrantClaims,
    ) -> Option<Carriage> {
        if arrival.attach.key != held.key() {
            return self.refuse(arrival.lane, grant, &NotServed::Proof(OTHER_KEY));
        }
        // A client that never had an answer asks for its stream in a new session. The gateway will know better by the time
        // that it asks again.
        if grant.session != session {
            return self.refuse(arrival.lane, grant, &NotServed::OtherSession);
        }
        self.attach(held, arrival, grant)
    }

    /// A lane for a stream that is over: whichever session it comes with, its client learns how that one ended.
    fn tell_end(&self, past: &Past, arrival: Arrival, grant: &GrantClaims) -> Option<Carriage> {
        self.keep_grant(&arrival.attach, &[], grant);
        let not_served = match past.code() {
            _ if arrival.attach.key != past.key() => NotServed::Proof(OTHER_KEY),
            code if code != Ended::Finished.code() => NotServed::Rejected(code),
            _ => match past.finished(grant.session) {
                Some(held) => return self.attach(held, arrival, grant),
                None => NotServed::UnknownStream,
            },
        };
        self.refuse(arrival.lane, grant, &not_served)
    }

    fn attach(&self, held: &Held, arrival: Arrival, grant: &GrantClaims) -> Option<Carriage> {
        let (attach, token) = (arrival.attach.clone(), arrival.lane.metadata.clone());
        match held.attach(arrival) {
            Ok(()) => {
                held.set_expiry(self.expiry(grant));
                self.keep_grant(&attach, &token, grant);
                tracing::info!(session = %grant.session, generation = attach.generation, "session goes on over another lane");
                None
            }
            Err(Rejected { lane, code }) => self.refuse(lane, grant, &NotServed::Rejected(code)),
        }
    }

    fn keep_grant(&self, attach: &Attach, token: &[u8], grant: &GrantClaims) {
        let grant = held::Grant { token, until: self.granted_until(grant) };
        self.streams.set_grant(attach.stream, grant, attach.generation);
    }

    /// From when on this grant opens nothing, by this machine's monotonic clock.
    fn granted_until(&self, grant: &GrantClaims) -> Instant {
        let now = Instant::now();
        let left = self.clock.now(now).map_or(SKEW, |clock| grant.exp.plus(SKEW).since(clock));
        now + left
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
    if !attach.has_our_version() {
        return Err(NotServed::Version);
    }
    Ok(())
}
