//! An application by hand: `GET /give/N` answers N bytes, `POST /take` reads the body, `/socket` becomes a WebSocket that
//! does nothing, and anything else is a page.

use crate::{process, target};
use anyhow::{Context, Result};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub(super) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    process::ready(listener.local_addr()?);
    loop {
        let (tcp, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = answer_all(tcp).await {
                eprintln!("web-app: {error:#}");
            }
        });
    }
}

/// The head of a request, as far as it matters here.
#[derive(Debug, Default)]
struct Head {
    path: String,
    length: u64,
    socket_key: Option<String>,
}

async fn answer_all(tcp: TcpStream) -> Result<()> {
    tcp.set_nodelay(true)?;
    let mut io = BufReader::new(tcp);
    while let Some(head) = read_head(&mut io).await? {
        if let Some(key) = &head.socket_key {
            return hold(io, key).await;
        }
        target::take(&mut io, head.length).await?;
        let given = head.path.strip_prefix("/give/").map_or(Ok(0), str::parse::<u64>)?;
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {given}\r\n\r\n");
        io.write_all(answer.as_bytes()).await?;
        target::give(&mut io, given, None).await?;
        io.flush().await?;
    }
    Ok(())
}

/// Nothing where the connection ended before a request.
async fn read_head(io: &mut BufReader<TcpStream>) -> Result<Option<Head>> {
    let (mut head, mut line) = (Head::default(), String::new());
    loop {
        line.clear();
        if io.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let text = line.trim_end();
        if text.is_empty() {
            return Ok(Some(head));
        }
        match text.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value)) {
            None => head.path = text.split(' ').nth(1).context("a request line")?.to_owned(),
            Some((name, value)) if name == "content-length" => head.length = value.parse()?,
            Some((name, value)) if name == "sec-websocket-key" => head.socket_key = Some(value.to_owned()),
            Some(_) => {}
        }
    }
}

async fn hold(mut io: BufReader<TcpStream>, key: &str) -> Result<()> {
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    io.write_all(answer.as_bytes()).await?;
    io.flush().await?;
    // Whatever way it ends.
    while io.read_u8().await.is_ok() {}
    Ok(())
}
