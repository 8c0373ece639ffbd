//! `postern proxy`: standard input and output to a resource. Its pipes stay open while the way there is lost and found
//! again.

use super::{
    plain, stdio, stopped,
    stream::{Errand, Resume},
    way::LAST_WORDS,
};
use crate::{
    failure::Failure,
    home::{Home, Profile},
    resource::ResourceRef,
};
use postern_ids::Ended;
use postern_tunnel_io::{Cut, stream::Pipes};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    time,
};
use tokio_util::sync::CancellationToken;

/// How long a proxy outlives its ssh where the gateway is away.
const HANG_UP_MAX: Duration = Duration::from_secs(10);

/// Carries bytes until the resource has said its last one.
pub async fn run(home: &Home, resource: &ResourceRef) -> Result<(), Failure> {
    let (profile, resume) = (Profile::require(home)?, Resume::from_env()?);
    let errand = Errand::begin(home, profile, resource, resume);
    let (cut, reader_gone) = (Cut::new(), CancellationToken::new());
    let carrying = carry(&errand, resume, reader_gone.clone(), cut.clone());
    let mut carrying = std::pin::pin!(carrying);
    let carried = tokio::select! {
        carried = &mut carrying => carried,
        () = hung_up() => {
            // Nobody is there to read what is said, or to wait for it.
            stdio::close_stderr();
            end(carrying, &cut, without_link(&errand), Ok(())).await
        }
        () = reader_gone.cancelled() => {
            let gone = Err(Failure::unavailable("whoever read the output has gone"));
            end(carrying, &cut, time::sleep(LAST_WORDS), gone).await
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
    patience: impl Future<Output = ()>,
    otherwise: Result<(), Failure>,
) -> Result<(), Failure> {
    tokio::select! {
        carried = &mut carrying => return carried,
        () = patience => {}
    }
    cut.cut(Ended::ClientLost);
    let _ = time::timeout(LAST_WORDS, carrying).await;
    otherwise
}

/// The time for last words; while there is no link that could take them, longer, so that a gateway that restarts does not
/// leave the session to its window.
async fn without_link(errand: &Errand) {
    let said = async {
        time::sleep(LAST_WORDS).await;
        while errand.way.is_lost() {
            time::sleep(LAST_WORDS).await;
        }
    };
    let _ = time::timeout(HANG_UP_MAX, said).await;
}

async fn hung_up() {
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => drop(hangup.recv().await),
        Err(_) => std::future::pending().await,
    }
}
