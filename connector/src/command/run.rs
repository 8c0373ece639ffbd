//! `run`: enrolls where that is due, then serves until stopped or refused for good.

use super::{ExitCode, Failure, Place};
use crate::{
    cli,
    enroll::{self, EnrollError},
    identity::{Identity, StateDir},
    link::{Final, chain},
    run::{self, Orders, Setup},
    status::machine_now,
    target::SystemResolver,
};
use postern_ids::Timestamp;
use postern_token::EnrolmentToken;
use postern_tunnel_io::Backoff;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// A gateway removes an ephemeral connector half an hour after it left. One that is unknown sooner has another trouble,
/// and enrolling it again and again would use up the token.
const REMOVED_AFTER: Duration = Duration::from_secs(10 * 60);

/// Runs until stopped.
pub(super) async fn run(place: &Place, command: &cli::Run, orders: &Orders) -> Result<(), Failure> {
    let state = StateDir::open(&place.state_dir)?;
    let allow = place.allow(command.allow.clone())?;
    let enrolment = Enrolment { place, command, ca_files: place.ca_files(&command.ca_files), state: &state };
    let mut identity = match state.identity()? {
        Some(identity) => identity,
        None => enrolment.enroll(&enrolment.token()?, orders).await?,
    };
    raise_file_limit();
    loop {
        let enrolled_at = identity.enrolled.enrolled_at;
        tracing::info!(connector = %identity.enrolled.connector, name = %identity.enrolled.name,
            site = %identity.enrolled.site, allow = allow.entries().len(), "connector starts");
        if allow.entries().is_empty() {
            tracing::warn!(
                "the allow-list is empty: nothing can be reached before --allow HOST:PORT is given"
            );
        }
        let setup = Setup {
            identity,
            allow: allow.clone(),
            limits: place.file.limits,
            ca_files: enrolment.ca_files.clone(),
            gateways: place.file.gateways.clone(),
            resolver: SystemResolver,
        };
        let Err(ended) = run::run(setup, &state, orders.clone()).await else { return Ok(()) };
        identity = enrolment.enroll_again(&ended, enrolled_at, orders).await?;
    }
}

/// What enrolling takes.
struct Enrolment<'a> {
    place: &'a Place,
    command: &'a cli::Run,
    ca_files: Vec<PathBuf>,
    state: &'a StateDir,
}

impl Enrolment<'_> {
    fn token(&self) -> Result<EnrolmentToken, EnrollError> {
        enroll::read_token(&self.command.token, self.place.file.token_file.as_deref())
    }

    /// Enrolls. A gateway that is not up yet is waited for, as containers start in any order.
    async fn enroll(&self, token: &EnrolmentToken, orders: &Orders) -> Result<Identity, Failure> {
        let mut backoff = Backoff::default();
        loop {
            let name = self.command.name.clone();
            let error = match enroll::enroll(token, name, &self.ca_files, self.state).await {
                Ok(enrolled) => {
                    tracing::info!(connector = %enrolled.connector, name = %enrolled.name, "enrolled");
                    let missing = || Failure::new(ExitCode::Config, "the identity was not kept");
                    return self.state.identity()?.ok_or_else(missing);
                }
                Err(error) if error.is_temporary() => error,
                Err(error) => return Err(error.into()),
            };
            tracing::warn!(reason = chain(&error), "enrolment has to wait");
            // Slower than links: enrolment is limited to a few tries a minute for each address.
            let pause = backoff.next(rand::random(), Instant::now()).max(Duration::from_secs(1));
            tokio::select! {
                () = orders.stop.cancelled() => return Err(error.into()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// An ephemeral connector that the gateway removed comes back as a new one, if it has a token that is still good.
    /// One that was revoked does not: that was somebody's decision.
    async fn enroll_again(
        &self,
        ended: &Final,
        enrolled_at: Timestamp,
        orders: &Orders,
    ) -> Result<Identity, Failure> {
        if !ended.is_unknown || machine_now().since(enrolled_at) < REMOVED_AFTER {
            return Err(Failure::new(ExitCode::Refused, ended));
        }
        let refused = |why: String| {
            let text = format!("{ended}. It cannot enroll again by itself: {why}");
            Failure::new(ExitCode::Refused, text)
        };
        let token = self.token().map_err(|error| refused(chain(&error)))?;
        tracing::warn!(gateway = %ended.gateway, "the gateway does not know this connector any more; enrolling it again");
        self.enroll(&token, orders).await.map_err(|failure| match failure.code {
            ExitCode::Refused => refused(failure.text),
            ExitCode::Unavailable | ExitCode::Config => failure,
        })
    }
}

/// Each session holds a socket; common soft limits end at 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}
