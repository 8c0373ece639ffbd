//! Thousands of WebSockets that do nothing: what each costs, and how soon they are closed when the right to them ends.

use super::{super::Plan, Ground};
use crate::{
    process::Role,
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
    stats::Summary,
    web::{self, Closed, SocketReport},
};
use anyhow::{Context, Result};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep};

/// So many at a time, so that each portion stands within the time that a role has for a line.
const PORTION: u32 = 500;
/// Until memory has settled.
const SETTLE: Duration = Duration::from_secs(10);
const CLOSED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Each round opens all of them again.
const ROUNDS: usize = 3;

const GATEWAY: Figure =
    Figure { name: "memory per idle WebSocket, gateway", unit: "KiB", bar: Bar::AtMost(40.0) };
const CONNECTOR: Figure =
    Figure { name: "memory per idle WebSocket, connector", unit: "KiB", bar: Bar::Told };
const OPEN: Figure = Figure { name: "WebSockets open", unit: "", bar: Bar::Told };
const SIGN_OUT: Figure =
    Figure { name: "sign-out to closed WebSocket, p99 of one person's", unit: "s", bar: Bar::AtMost(1.0) };
const REVOKE: Figure =
    Figure { name: "revoke to closed WebSocket, p99 of all", unit: "s", bar: Bar::AtMost(1.0) };
const WORDS: Figure = Figure { name: "closed with a close frame", unit: "%", bar: Bar::Told };

pub(in super::super) async fn measure(plan: &Plan, ours: &Stack, report: &mut Report) -> Result<()> {
    let Some(ground) = Ground::of(ours)? else { return Ok(()) };
    let destination = ground.destination();
    let cookies = ground.web.cookies().display().to_string();
    let mut args: Vec<&str> = destination.iter().map(String::as_str).collect();
    args.extend(["--cookies", &cookies]);
    let mut sockets = Role::start("web sockets", &args)?;
    for round in 0..plan.rounds.min(ROUNDS) {
        if round == 0 {
            fill_and_weigh(&mut sockets, plan, ours, report).await?;
        } else {
            open(&mut sockets, plan.sockets).await?;
        }
        let stand = tell(&mut sockets, "").await?;
        report.add(OPEN, Whose::Ours, stand.open as f64);
        let mut closed = sign_out(&mut sockets, &ground, round, stand.open, report).await?;
        closed.extend(revoke(&mut sockets, &ground, report).await?);
        let with_a_word = closed.iter().filter(|socket| socket.with_a_word).count();
        report.add(WORDS, Whose::Ours, 100.0 * with_a_word as f64 / closed.len().max(1) as f64);
        tokio::task::block_in_place(|| {
            web::grant(&ground.scene.owner)?;
            ground.web.sign_in(&ground.scene.gateway)
        })?;
    }
    Ok(())
}

/// The growth from a fifth of them to all of them.
async fn fill_and_weigh(sockets: &mut Role, plan: &Plan, ours: &Stack, report: &mut Report) -> Result<()> {
    let few = plan.sockets / 5;
    open(sockets, few).await?;
    sleep(SETTLE).await;
    let at_few = ours.pss_kib()?;
    open(sockets, plan.sockets - few).await?;
    sleep(SETTLE).await;
    let at_many = ours.pss_kib()?;
    let each = f64::from(plan.sockets - few);
    report.add(GATEWAY, Whose::Ours, (at_many.0 - at_few.0) / each);
    report.add(CONNECTOR, Whose::Ours, (at_many.1 - at_few.1) / each);
    Ok(())
}

async fn open(sockets: &mut Role, mut count: u32) -> Result<()> {
    while count > 0 {
        let portion = count.min(PORTION);
        tell(sockets, &portion.to_string()).await?;
        count -= portion;
    }
    Ok(())
}

async fn tell(sockets: &mut Role, line: &str) -> Result<SocketReport> {
    sockets.tell(line).await?;
    let told = sockets.line().await?;
    serde_json::from_str(&told).context(told)
}

async fn sign_out(
    sockets: &mut Role,
    ground: &Ground<'_>,
    round: usize,
    open: usize,
    report: &mut Report,
) -> Result<Vec<Closed>> {
    let person = round % ground.web.people();
    let theirs = open / ground.web.people();
    let began = now_us()?;
    tokio::task::block_in_place(|| ground.web.sign_out(person))?;
    let closed = await_closed(sockets, open - theirs).await?;
    anyhow::ensure!(closed.iter().all(|socket| socket.person == person), "a sign-out closed somebody else's");
    report.add(SIGN_OUT, Whose::Ours, p99_seconds(&closed, began));
    Ok(closed)
}

async fn revoke(sockets: &mut Role, ground: &Ground<'_>, report: &mut Report) -> Result<Vec<Closed>> {
    let began = now_us()?;
    tokio::task::block_in_place(|| web::revoke(&ground.scene.owner))?;
    let closed = await_closed(sockets, 0).await?;
    report.add(REVOKE, Whose::Ours, p99_seconds(&closed, began));
    Ok(closed)
}

/// Waits until so many are left, and gives those that were closed.
async fn await_closed(sockets: &mut Role, left: usize) -> Result<Vec<Closed>> {
    let deadline = Instant::now() + CLOSED_WITHIN;
    let mut closed = Vec::new();
    loop {
        let stand = tell(sockets, "").await?;
        closed.extend(stand.closed);
        if stand.open <= left {
            return Ok(closed);
        }
        anyhow::ensure!(Instant::now() < deadline, "{} WebSockets are open instead of {left}", stand.open);
        sleep(LOOK_EVERY).await;
    }
}

/// From the order, given by a command that starts first, to the end of the connection.
fn p99_seconds(closed: &[Closed], began_us: u64) -> f64 {
    let seconds = closed.iter().map(|socket| socket.at_us.saturating_sub(began_us) as f64 / 1e6);
    Summary::of(seconds.collect()).p99
}

fn now_us() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}
