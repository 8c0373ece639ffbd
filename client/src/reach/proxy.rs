//! `postern proxy`: standard input and output to a resource. Its pipes stay open while the way there is lost and found
//! again.

use super::{
    ResourceRef, plain, stdio, stopped,
    stream::{Errand, Resume},
    way::LAST_WORDS,
};
use crate::{
    failure::Failure,
    home::{Home, Profile},
};
use postern_ids::Ended;
use postern_tunnel_io::{Cut, stream::Pipes};
use std::{pin::Pin, sync::Arc};
use tokio::{
    signal::unix::{SignalKind, signal},
    time,
};
use tokio_util::sync::CancellationToken;

/// Carries bytes until the resource has said its last one.
pub async fn run(home: &Home, resource: &ResourceRef) -> Result<(), Failure> {
    let (profile, resume) = (Profile::require(home)?, Resume::from_env()?);
    let errand = Errand::begin(home, profile, resource, resume);
    let (cut, reader_gone) = (Cut::new(), CancellationToken::new());
    let carrying = carry(&errand, resume, reader_gone.clone(), cut.clone());
    let mut carrying = std::pin::pin!(carrying);
    let carried = tokio::select! {
        carried = &mut carrying => carried,
        () = hung_up() => end(carrying, &cut, Ok(())).await,
        () = reader_gone.cancelled() => {
            end(carrying, &cut, Err(Failure::unavailable("whoever read the output has gone"))).await
        }
        () = stopped() => {
            cut.cut(Ended::ClientLost);
            let _ = time::timeout(LAST_WORDS, carrying).await;
            Ok(())
        }
    };
    errand.finish().await;
    carried
}

async fn carry(
    errand: &Arc<Errand>,
    resume: Resume,
    reader_gone: CancellationToken,
    cut: Cut,
) -> Result<(), Failure> {
    let (input, output) = (stdio::input(), stdio::output(reader_gone));
    match resume {
        Resume::Within(_) => errand.carry(Pipes::new(input, output), cut).await,
        Resume::Off => plain::carry(errand, input, output, cut).await,
    }
}

/// ssh hangs up on its proxy, and reads no more, the moment it ends; what it said before still has to arrive, and a
/// resource that is about to end as well ends the session in order.
async fn end(
    mut carrying: Pin<&mut impl Future<Output = Result<(), Failure>>>,
    cut: &Cut,
    otherwise: Result<(), Failure>,
) -> Result<(), Failure> {
    if let Ok(carried) = time::timeout(LAST_WORDS, &mut carrying).await {
        return carried;
    }
    cut.cut(Ended::ClientLost);
    let _ = time::timeout(LAST_WORDS, carrying).await;
    otherwise
}

async fn hung_up() {
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => drop(hangup.recv().await),
        Err(_) => std::future::pending().await,
    }
}
