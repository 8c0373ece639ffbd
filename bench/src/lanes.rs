//! The tunnel itself between the same ends: a gateway that forwards without deciding, a connector that serves without
//! grants, and a client that is also used before the real gateway.

use crate::{certificates::Certificates, process, streams};
use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use postern_tunnel_io::{
    Challenge, Credentials, Cut, Detach, Dial, Event, Incoming, IncomingLane, Link, LinkConfig, Open, Proxy,
    accept, connect_address, dial, forward, forward_resumable, splice, stream::StreamConfig, tls, tune_end,
    tune_listener, tune_socket, upgrade_response,
};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::{machine::TryParse, server::Request};
use url::Url;

#[derive(Debug, clap::Args)]
pub(crate) struct GatewayArgs {
    #[arg(long)]
    certificates: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConnectorArgs {
    #[arg(long)]
    certificates: PathBuf,
    #[arg(long)]
    gateway: Url,
    #[arg(long)]
    target: SocketAddr,
    #[arg(long, default_value_t = 1)]
    links: usize,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ClientArgs {
    /// `https://host:port/tunnel/client`.
    #[arg(long)]
    gateway: Url,
    /// The directory of the CA's file.
    #[arg(long, conflicts_with = "ca_file", required_unless_present = "ca_file")]
    certificates: Option<PathBuf>,
    #[arg(long)]
    ca_file: Option<PathBuf>,
    /// A file with a bearer token, or a directory of them: one link for each.
    #[arg(long)]
    token: Option<PathBuf>,
    /// What every Open carries.
    #[arg(long, default_value = "")]
    metadata: String,
    /// Streams that outlive their lanes.
    #[arg(long)]
    resume: bool,
}

/// The links of connectors; lanes are spread over them in turn.
#[derive(Debug, Default)]
struct Connectors {
    links: Mutex<Vec<Link>>,
    next: AtomicUsize,
}

impl Connectors {
    fn add(&self, link: Link) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).push(link);
    }

    fn pick(&self) -> Option<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| !link.is_closed());
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        links.get(turn.checked_rem(links.len())?).cloned()
    }
}

pub(crate) async fn gateway(args: GatewayArgs) -> Result<()> {
    let acceptor = Certificates::in_directory(&args.certificates).acceptor()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tune_listener(&listener);
    process::ready(listener.local_addr()?);
    let connectors = Arc::new(Connectors::default());
    let config = LinkConfig { churn: None, ..LinkConfig::default() };
    loop {
        let (tcp, _) = listener.accept().await?;
        let (acceptor, connectors, config) = (acceptor.clone(), Arc::clone(&connectors), config.clone());
        tokio::spawn(async move {
            if let Err(error) = serve_link(tcp, acceptor, &connectors, config).await {
                eprintln!("lane-gateway: {error:#}");
            }
        });
    }
}

async fn serve_link(
    tcp: TcpStream,
    acceptor: TlsAcceptor,
    connectors: &Arc<Connectors>,
    config: LinkConfig,
) -> Result<()> {
    tune_socket(&tcp)?;
    let mut stream = acceptor.accept(tcp).await?;
    tls::tune(stream.get_mut().1);
    let request = read_request(&mut stream).await?;
    let mut head = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in &upgrade_response(request.headers())? {
        head.push_str(&format!("{name}: {}\r\n", value.to_str()?));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.flush().await?;
    let (link, incoming) = accept(stream, Bytes::new(), config);
    if request.uri().path() == "/tunnel/connector" {
        connectors.add(link.clone());
        link.closed().await;
    } else {
        serve_client(incoming, connectors).await;
    }
    Ok(())
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Request> {
    let mut buffer = BytesMut::with_capacity(2048);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            bail!("no request");
        }
        if let Some((length, request)) = Request::try_parse(&buffer)? {
            if length != buffer.len() {
                bail!("the client speaks before the answer");
            }
            return Ok(request);
        }
    }
}

async fn serve_client(mut incoming: Incoming, connectors: &Arc<Connectors>) {
    while let Some(event) = incoming.next().await {
        if let Event::Open(lane) = event {
            let connectors = Arc::clone(connectors);
            tokio::spawn(async move {
                let Some(link) = connectors.pick() else {
                    lane.refuse(4480, b"");
                    return;
                };
                relay(lane, link).await;
            });
        }
    }
}

async fn relay(near: IncomingLane, link: Link) {
    let open = Open { flow: near.flow, metadata: near.metadata.clone(), early: near.early.clone() };
    match link.open(open).await {
        Ok(far) if streams::is_resumable(&near) => {
            forward_resumable(near.accept(far.metadata), far.lane, Cut::new(), Detach::new()).await;
        }
        Ok(far) => {
            forward(near.accept(far.metadata), far.lane, Cut::new()).await;
        }
        Err(error) => near.refuse(4486, error.to_string().as_bytes()),
    }
}

pub(crate) async fn connector(args: ConnectorArgs) -> Result<()> {
    let trust = Certificates::in_directory(&args.certificates).trust();
    let mut serving = tokio::task::JoinSet::new();
    let config = StreamConfig::default();
    for _ in 0..args.links {
        let (_, incoming) = dial_gateway(args.gateway.clone(), trust.clone(), None).await?;
        serving.spawn(serve_lanes(incoming, args.target, config.clone()));
    }
    process::ready(args.target);
    serving.join_all().await;
    bail!("the gateway went away")
}

async fn serve_lanes(mut incoming: Incoming, target: SocketAddr, config: StreamConfig) {
    while let Some(event) = incoming.next().await {
        if let Event::Open(lane) = event {
            let config = config.clone();
            tokio::spawn(async move {
                match connect_address(target).await {
                    Ok(tcp) => {
                        let _ = tune_end(&tcp);
                        if streams::is_resumable(&lane) {
                            return streams::hold_for(lane, tcp, config).await;
                        }
                        splice(lane.accept(Bytes::new()), tcp, Cut::new()).await;
                    }
                    Err(error) => lane.refuse(4482, error.to_string().as_bytes()),
                }
            });
        }
    }
}

pub(crate) async fn client(args: ClientArgs) -> Result<()> {
    let links = args.links().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tune_listener(&listener);
    process::ready(listener.local_addr()?);
    let metadata = Bytes::from(args.metadata);
    let config = StreamConfig::default();
    let mut turn = links.iter().cycle();
    loop {
        let (tcp, _) = listener.accept().await?;
        tune_end(&tcp)?;
        let (link, _) = turn.next().context("a link")?;
        let (link, metadata, config) = (link.clone(), metadata.clone(), config.clone());
        if args.resume {
            tokio::spawn(streams::carry_over(link, metadata, tcp, config));
            continue;
        }
        tokio::spawn(async move {
            match link.open(Open { flow: 0, metadata, early: Bytes::new() }).await {
                Ok(opened) => {
                    splice(opened.lane, tcp, Cut::new()).await;
                }
                Err(error) => eprintln!("lane-client: {error}; {:?}", link.ended()),
            }
        });
    }
}

impl ClientArgs {
    /// One link for each token, or one without.
    pub(crate) async fn links(&self) -> Result<Vec<(Link, Incoming)>> {
        let trust = self.trust()?;
        let mut links = Vec::new();
        for token in self.tokens()? {
            links.push(dial_gateway(self.gateway.clone(), trust.clone(), token.as_deref()).await?);
        }
        Ok(links)
    }

    pub(crate) fn metadata(&self) -> Bytes {
        Bytes::from(self.metadata.clone())
    }

    fn tokens(&self) -> Result<Vec<Option<String>>> {
        let Some(path) = &self.token else { return Ok(vec![None]) };
        if path.is_file() {
            return Ok(vec![Some(std::fs::read_to_string(path)?)]);
        }
        std::fs::read_dir(path)?.map(|file| Ok(Some(std::fs::read_to_string(file?.path())?))).collect()
    }

    fn trust(&self) -> Result<tls::Trust> {
        match (&self.ca_file, &self.certificates) {
            (Some(file), _) => Ok(tls::Trust { ca_files: vec![file.clone()], ..tls::Trust::default() }),
            (None, Some(directory)) => Ok(Certificates::in_directory(directory).trust()),
            (None, None) => bail!("nobody to trust"),
        }
    }
}

struct Bearer(Option<HeaderValue>);

impl Credentials for Bearer {
    fn authorization(&mut self, _: Option<&Challenge>) -> Option<HeaderValue> {
        self.0.clone()
    }
}

/// Dials with a bearer token, if there is one.
async fn dial_gateway(url: Url, trust: tls::Trust, token: Option<&str>) -> Result<(Link, Incoming)> {
    let header = token.map(|token| HeaderValue::try_from(format!("Bearer {}", token.trim()))).transpose()?;
    let mut credentials = Bearer(header);
    let config = LinkConfig::default();
    Ok(dial(Dial { url, tls: trust.into(), proxy: Proxy::direct(), credentials: &mut credentials, config })
        .await?)
}
