//! `postern forward`: a local port that leads to a resource.

use super::{Reached, ResourceRef, link_to, open};
use crate::{
    bearer,
    cli::Mapping,
    failure::{Failure, code},
    home::{Home, Profile},
};
use postern_tunnel_io::{Cut, Event, ForwardEnd, Incoming, Link, splice};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore},
};

/// Connections at once through one forwarded port; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// How often the tokens' age is looked at, so that a port that is open for days keeps working.
const TOKEN_CHECK: Duration = Duration::from_secs(60);
/// After a failed accept (out of descriptors), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The way to the gateway, dialed when it is needed and again when it was lost.
struct Way {
    home: Home,
    profile: Profile,
    link: Mutex<Option<Kept>>,
}

struct Kept {
    link: Link,
    /// The gateway asked to open nothing further on it.
    is_leaving: Arc<AtomicBool>,
}

impl Kept {
    fn is_usable(&self) -> bool {
        !self.link.is_closed() && !self.is_leaving.load(Ordering::Relaxed)
    }
}

impl Way {
    async fn link(&self) -> Result<Link, Failure> {
        let mut kept = self.link.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_usable()) {
            return Ok(kept.link.clone());
        }
        let bearer = bearer::get(&self.home, &self.profile).await?;
        let (link, incoming) = link_to(&self.profile, &bearer).await?;
        let is_leaving = Arc::new(AtomicBool::new(false));
        tokio::spawn(watch(incoming, is_leaving.clone()));
        *kept = Some(Kept { link: link.clone(), is_leaving });
        Ok(link)
    }

    async fn open(&self, resource: &ResourceRef) -> Result<Reached, Failure> {
        let link = self.link().await?;
        match open(&link, resource).await {
            // The link may have died while nobody looked: once more on a new one.
            Err(failure) if failure.code == code::UNAVAILABLE && link.is_closed() => {
                open(&self.link().await?, resource).await
            }
            opened => opened,
        }
    }
}

/// Notes when the gateway leaves: what runs on the link goes on, what comes later takes a new one.
async fn watch(mut incoming: Incoming, is_leaving: Arc<AtomicBool>) {
    while let Some(event) = incoming.next().await {
        if matches!(event, Event::GoAway { .. }) {
            is_leaving.store(true, Ordering::Relaxed);
        }
    }
}

/// Listens until the command is stopped.
pub async fn run(home: &Home, mapping: &Mapping, json: bool) -> Result<(), Failure> {
    let profile = Profile::require(home)?;
    let way = Arc::new(Way { home: home.clone(), profile, link: Mutex::new(None) });
    // Signing in and dialing first: a port that leads nowhere is not opened.
    way.link().await?;
    let listener = TcpListener::bind(mapping.listen)
        .await
        .map_err(|e| Failure::usage(format!("{} cannot be listened on: {e}", mapping.listen)))?;
    let address = listener.local_addr().map_err(|e| Failure::unavailable(e.to_string()))?;
    eprintln!("forwarding {address} to {}; stop with Ctrl-C", mapping.resource);
    if json {
        println!("{}", serde_json::json!({ "listen": address, "resource": mapping.resource.as_str() }));
    } else if mapping.listen.port() == 0 {
        println!("{address}");
    }
    tokio::spawn(keep_tokens_fresh(way.clone()));
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return Ok(()) };
        match listener.accept().await {
            Ok((tcp, _)) => {
                let (way, resource) = (way.clone(), mapping.resource.clone());
                tokio::spawn(async move {
                    serve(&way, &resource, tcp).await;
                    drop(permit);
                });
            }
            Err(error) => {
                eprintln!("postern: a connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn keep_tokens_fresh(way: Arc<Way>) {
    loop {
        tokio::time::sleep(TOKEN_CHECK).await;
        bearer::refresh_early(way.home.clone(), way.profile.clone()).await;
    }
}

async fn serve(way: &Way, resource: &ResourceRef, tcp: TcpStream) {
    let _ = tcp.set_nodelay(true);
    let reached = match way.open(resource).await {
        Ok(reached) => reached,
        Err(failure) => {
            // A reset, not an orderly end: an empty answer could be taken for one.
            let _ = tcp.set_zero_linger();
            eprintln!("{failure}");
            return;
        }
    };
    if let ForwardEnd::Reset { code, .. } = splice(reached.lane, tcp, Cut::new()).await.end {
        eprintln!("{}", Failure::ended(code));
    }
}
