//! The floor: a bare two-hop relay with the tunnel's TLS and WebSocket libraries and plain TCP at both ends. One
//! WebSocket connection per stream and hop, 64 KiB messages; no lanes, no credit, no policy, no record.

use crate::{certificates::Certificates, process};
use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use futures_util::{
    SinkExt, Stream, StreamExt,
    stream::{SplitSink, SplitStream},
};
use postern_tunnel_io::{connect_address, tune_end, tune_listener, tune_socket};
use rustls_pki_types::ServerName;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};
use tokio_rustls::{TlsConnector, client, server};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

const MESSAGE: usize = 64 * 1024;
/// Connections of the connector that wait at the gateway for a client.
const SPARES: usize = 32;
const CONNECTOR: u8 = 1;
const CLIENT: u8 = 2;

type Downstream = WebSocketStream<server::TlsStream<TcpStream>>;
type Upstream = WebSocketStream<client::TlsStream<TcpStream>>;

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
    gateway: SocketAddr,
    #[arg(long)]
    target: SocketAddr,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ClientArgs {
    #[arg(long)]
    certificates: PathBuf,
    #[arg(long)]
    gateway: SocketAddr,
}

/// The settings that make the bare relay fastest: one TLS record a read, nothing held back on writes.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(16 * 1024).write_buffer_size(0)
}

pub(crate) async fn gateway(args: GatewayArgs) -> Result<()> {
    let acceptor = Certificates::in_directory(&args.certificates).acceptor()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tune_listener(&listener);
    process::ready(listener.local_addr()?);
    let (spare, spares) = mpsc::channel::<Downstream>(SPARES * 2);
    let spares = Arc::new(tokio::sync::Mutex::new(spares));
    loop {
        let (tcp, _) = listener.accept().await?;
        let (acceptor, spare, spares) = (acceptor.clone(), spare.clone(), Arc::clone(&spares));
        tokio::spawn(async move {
            tune_socket(&tcp)?;
            let mut tls = acceptor.accept(tcp).await?;
            postern_tunnel_io::tls::tune(tls.get_mut().1);
            // Instead of an upgrade request: who is calling.
            let kind = tls.read_u8().await?;
            let socket = WebSocketStream::from_raw_socket(tls, Role::Server, Some(config())).await;
            if kind == CONNECTOR {
                let _ = spare.send(socket).await;
                return Ok(());
            }
            let far = spares.lock().await.recv().await.context("no connector")?;
            pair(socket, far).await
        });
    }
}

async fn pair(near: Downstream, far: Downstream) -> Result<()> {
    let (near_out, near_in) = near.split();
    let (far_out, far_in) = far.split();
    tokio::try_join!(pump(near_in, far_out), pump(far_in, near_out))?;
    Ok(())
}

async fn pump(mut from: SplitStream<Downstream>, mut to: SplitSink<Downstream, Message>) -> Result<()> {
    while let Some(message) = from.next().await {
        to.send(message?).await?;
    }
    Ok(())
}

async fn dial(certificates: &Certificates, gateway: SocketAddr, kind: u8) -> Result<Upstream> {
    let tls = certificates.trust().client_config(&[])?;
    let tcp = connect_address(gateway).await?;
    tune_socket(&tcp)?;
    let mut tls = TlsConnector::from(tls).connect(ServerName::try_from("localhost")?, tcp).await?;
    postern_tunnel_io::tls::tune(tls.get_mut().1);
    tls.write_u8(kind).await?;
    tls.flush().await?;
    Ok(WebSocketStream::from_raw_socket(tls, Role::Client, Some(config())).await)
}

pub(crate) async fn connector(args: ConnectorArgs) -> Result<()> {
    let certificates = Arc::new(Certificates::in_directory(&args.certificates));
    let (gone, mut used) = mpsc::channel::<()>(SPARES);
    let start = |gone: mpsc::Sender<()>| {
        tokio::spawn(serve(Arc::clone(&certificates), args.gateway, args.target, gone));
    };
    for _ in 0..SPARES {
        start(gone.clone());
    }
    process::ready(args.target);
    while used.recv().await.is_some() {
        start(gone.clone());
    }
    Ok(())
}

/// One spare connection: dials the target with the first message and is replaced by a new spare.
async fn serve(
    certificates: Arc<Certificates>,
    gateway: SocketAddr,
    target: SocketAddr,
    used: mpsc::Sender<()>,
) -> Result<()> {
    let mut socket = dial(&certificates, gateway, CONNECTOR).await?;
    let first = socket.next().await;
    used.send(()).await?;
    let tcp = connect_address(target).await?;
    tune_end(&tcp)?;
    let (from, mut to) = tcp.into_split();
    if let Some(Ok(Message::Binary(bytes))) = first {
        to.write_all(&bytes).await?;
    }
    carry(socket, from, to).await
}

pub(crate) async fn client(args: ClientArgs) -> Result<()> {
    let certificates = Arc::new(Certificates::in_directory(&args.certificates));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tune_listener(&listener);
    process::ready(listener.local_addr()?);
    loop {
        let (tcp, _) = listener.accept().await?;
        tune_end(&tcp)?;
        let certificates = Arc::clone(&certificates);
        tokio::spawn(async move {
            let socket = dial(&certificates, args.gateway, CLIENT).await?;
            let (from, to) = tcp.into_split();
            carry(socket, from, to).await
        });
    }
}

async fn carry(socket: Upstream, from: OwnedReadHalf, to: OwnedWriteHalf) -> Result<()> {
    let (out, in_) = socket.split();
    tokio::try_join!(to_socket(from, out), to_tcp(in_, to))?;
    Ok(())
}

async fn to_socket<R: AsyncRead + Unpin>(mut from: R, mut to: SplitSink<Upstream, Message>) -> Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(MESSAGE);
        if from.read_buf(&mut buffer).await? == 0 {
            to.close().await?;
            return Ok(());
        }
        to.send(Message::Binary(buffer.split().freeze())).await?;
    }
}

async fn to_tcp<S, W>(mut from: S, mut to: W) -> Result<()>
where
    S: Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
    W: AsyncWrite + Unpin,
{
    while let Some(message) = from.next().await {
        let bytes: Bytes = message?.into_data();
        to.write_all(&bytes).await?;
    }
    Ok(to.shutdown().await?)
}
