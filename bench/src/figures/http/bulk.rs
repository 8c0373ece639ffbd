//! Big downloads and uploads, beside one stream of the tunnel in the same run, and what they cost in memory.

use super::{
    super::{Plan, bulk::transfer},
    Ground,
};
use crate::{
    process::{Role, Sample},
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
    web::Transferred,
};
use anyhow::{Context, Result};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const LIMIT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Before anything counts: connections stand, buffers are there.
const WARM_UP: u64 = 64 << 20;
const KIB_PER_MIB: f64 = 1024.0;

const DOWN: Figure = Figure {
    name: "download; floor one stream of the tunnel",
    unit: "Gbit/s",
    bar: Bar::AtLeastOfFloor(0.7),
};
const UP: Figure =
    Figure { name: "upload; floor one stream of the tunnel", unit: "Gbit/s", bar: Bar::AtLeastOfFloor(0.7) };
const MOVED_DOWN: Figure =
    Figure { name: "farthest of the gateway's memory, download", unit: "MiB", bar: Bar::AtMost(16.0) };
const MOVED_UP: Figure =
    Figure { name: "farthest of the gateway's memory, upload", unit: "MiB", bar: Bar::AtMost(16.0) };
const CPU_DOWN: Figure = Figure { name: "CPU of the gateway, download", unit: "s/GiB", bar: Bar::Told };
const CPU_UP: Figure = Figure { name: "CPU of the gateway, upload", unit: "s/GiB", bar: Bar::Told };

pub(in super::super) async fn measure(plan: &Plan, ours: &Stack, report: &mut Report) -> Result<()> {
    let Some(ground) = Ground::of(ours)? else { return Ok(()) };
    let gateway = Sample::of(ground.scene.gateway.pid());
    let directions = [("down", DOWN, MOVED_DOWN, CPU_DOWN), ("up", UP, MOVED_UP, CPU_UP)];
    for (direction, ..) in directions {
        carry(&ground, direction, WARM_UP, &gateway).await?;
    }
    for _ in 0..plan.rounds {
        for (direction, speed, moved, cpu) in directions {
            report.add(speed, Whose::Floor, transfer(ours, direction, plan.bytes, 1).await?.gbits);
            let before = gateway.cpu_seconds()?;
            let carried = carry(&ground, direction, plan.bytes, &gateway).await?;
            let spent = gateway.cpu_seconds()? - before;
            report.add(speed, Whose::Ours, carried.gbits);
            report.add(moved, Whose::Ours, carried.memory_moved_mib);
            report.add(cpu, Whose::Ours, spent / (plan.bytes as f64 / f64::from(1u32 << 30)));
        }
    }
    Ok(())
}

struct Carried {
    gbits: f64,
    /// How far memory went from where it was at the beginning, up or down.
    memory_moved_mib: f64,
}

async fn carry(ground: &Ground<'_>, direction: &str, bytes: u64, gateway: &Sample) -> Result<Carried> {
    let destination = ground.destination();
    let (cookie, length) =
        (ground.web.app().cookie.clone().context("somebody is signed in")?, bytes.to_string());
    let mut args: Vec<&str> = destination.iter().map(String::as_str).collect();
    args.extend(["--cookie", &cookie, "--direction", direction, "--bytes", &length]);
    let began_at = gateway.rss_kib()?;
    let mut farthest: f64 = 0.0;
    let mut transfer = std::pin::pin!(Role::start("web transfer", &args)?.result::<Transferred>(LIMIT));
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let done = loop {
        tokio::select! {
            done = transfer.as_mut() => break done?,
            _ = looks.tick() => farthest = farthest.max((gateway.rss_kib()? - began_at).abs()),
        }
    };
    Ok(Carried { gbits: bytes as f64 * 8.0 / 1e9 / done.seconds, memory_moved_mib: farthest / KIB_PER_MIB })
}
