//! One big download or upload, as a browser makes it.

use super::tls::Destination;
use crate::{load::Direction, target};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    destination: Destination,
    #[arg(long)]
    cookie: String,
    #[arg(long)]
    direction: Direction,
    #[arg(long)]
    bytes: u64,
}

/// What it took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Transferred {
    /// From the request to the last byte, or to the answer.
    pub(crate) seconds: f64,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let mut io = BufReader::new(args.destination.dialler()?.dial().await?);
    let (method, path, length) = match args.direction {
        Direction::Down => ("GET", format!("/give/{}", args.bytes), 0),
        Direction::Up => ("POST", "/take".to_owned(), args.bytes),
    };
    let (authority, cookie) = (&args.destination.authority, &args.cookie);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n\r\n"
    );
    let began = Instant::now();
    io.write_all(head.as_bytes()).await?;
    target::give(&mut io, length, None).await?;
    io.flush().await?;
    let given = read_head(&mut io).await?;
    target::take(&mut io, given).await?;
    let done = Transferred { seconds: began.elapsed().as_secs_f64() };
    println!("{}", serde_json::to_string(&done)?);
    Ok(())
}

/// The length of the body of a good answer.
async fn read_head(io: &mut (impl AsyncBufReadExt + Unpin)) -> Result<u64> {
    let (mut line, mut length) = (String::new(), None);
    io.read_line(&mut line).await?;
    anyhow::ensure!(line.starts_with("HTTP/1.1 200 "), "the gateway answered {line:?}");
    loop {
        line.clear();
        io.read_line(&mut line).await?;
        let text = line.trim_end().to_ascii_lowercase();
        if text.is_empty() {
            return length.context("an answer of a known length");
        }
        if let Some(value) = text.strip_prefix("content-length:") {
            length = Some(value.trim().parse()?);
        }
    }
}
