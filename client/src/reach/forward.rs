//! `postern forward`: a local port that leads to a resource.

use super::{
    plain, stopped,
    stream::{Errand, Resume},
    way::LAST_WORDS,
};
use crate::{
    account,
    cli::Mapping,
    failure::{Failure, code},
    home::{Home, Profile},
    resource::ResourceRef,
};
use postern_ids::Ended;
use postern_tunnel_io::{Cut, ForwardEnd, splice, tune_end, tune_listener};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Connections at once through one forwarded port; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// After a failed accept (out of descriptors), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens until the command is stopped.
pub async fn run(home: &Home, mapping: &Mapping, json: bool) -> Result<(), Failure> {
    let (profile, resume) = (Profile::require(home)?, Resume::from_env()?);
    let errand = Errand::begin(home, profile, &mapping.resource, resume);
    // Signing in and dialing first: a port that leads nowhere is not opened.
    errand.way.link().await?;
    expect_known(home, &mapping.resource).await?;
    let listener = TcpListener::bind(mapping.listen)
        .await
        .map_err(|e| Failure::usage(format!("{} cannot be listened on: {e}", mapping.listen)))?;
    tune_listener(&listener);
    let address = listener.local_addr().map_err(|e| Failure::unavailable(e.to_string()))?;
    announce(address, mapping, json);
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    tokio::select! {
        () = accept(&listener, &errand, resume, &tracker, &stop) => {}
        () = stopped() => {}
    }
    stop.cancel();
    tracker.close();
    let _ = time::timeout(LAST_WORDS, tracker.wait()).await;
    errand.finish().await;
    Ok(())
}

/// Each connection is decided when it comes; a name that is wrong is told before. Where the list is not to be had, the
/// first connection tells.
async fn expect_known(home: &Home, resource: &ResourceRef) -> Result<(), Failure> {
    let Ok(mine) = account::my_resources(home).await else { return Ok(()) };
    if mine.iter().any(|mine| resource.names(mine)) {
        return Ok(());
    }
    let sentence = format!("there is no resource {resource} that you may reach");
    Err(Failure::new(code::NOT_FOUND, sentence).then("postern ls"))
}

fn announce(address: SocketAddr, mapping: &Mapping, json: bool) {
    eprintln!("forwarding {address} to {}; stop with Ctrl-C", mapping.resource);
    if json {
        println!("{}", serde_json::json!({ "listen": address, "resource": mapping.resource.as_str() }));
    } else if mapping.listen.port() == 0 {
        println!("{address}");
    }
}

async fn accept(
    listener: &TcpListener,
    errand: &Arc<Errand>,
    resume: Resume,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(permit) = connections.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let (errand, stop) = (errand.clone(), stop.clone());
                tracker.spawn(async move {
                    serve(&errand, resume, tcp, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                eprintln!("postern: a connection could not be accepted: {error}");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(errand: &Arc<Errand>, resume: Resume, tcp: TcpStream, stop: CancellationToken) {
    let _ = tune_end(&tcp);
    let cut = Cut::new();
    let mut carrying = std::pin::pin!(carry(errand, resume, tcp, cut.clone()));
    let carried = tokio::select! {
        carried = &mut carrying => carried,
        () = stop.cancelled() => {
            cut.cut(Ended::ClientLost);
            return drop(carrying.await);
        }
    };
    if let Err(failure) = carried {
        eprintln!("{failure}");
    }
}

async fn carry(errand: &Arc<Errand>, resume: Resume, tcp: TcpStream, cut: Cut) -> Result<(), Failure> {
    if let Resume::Within(_) = resume {
        return errand.carry(tcp, cut).await;
    }
    let lane = match plain::open(errand).await {
        Ok(lane) => lane,
        Err(failure) => {
            // A reset, not an orderly end: an empty answer could be taken for one.
            let _ = tcp.set_zero_linger();
            return Err(failure);
        }
    };
    match splice(lane, tcp, cut).await.end {
        ForwardEnd::Reset { code, .. } => Err(Failure::ended(code)),
        ForwardEnd::Finished
        | ForwardEnd::Cut(_)
        | ForwardEnd::LinkLost { .. }
        | ForwardEnd::Tcp(_)
        | ForwardEnd::Detached(_) => Ok(()),
    }
}
