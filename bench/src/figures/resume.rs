//! What it costs that a session outlives its link: the same stream with resume (ours) and without (in the place of the
//! floor).

use super::{
    Plan,
    bulk::transfer,
    memory::{self, SETTLE, hold},
};
use crate::{
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
};
use anyhow::Result;

const IDLE: u32 = 1_000;

const UP: Figure = Figure { name: "resumable stream up", unit: "Gbit/s", bar: Bar::AtLeastOfFloor(0.9) };
const DOWN: Figure = Figure { name: "resumable stream down", unit: "Gbit/s", bar: Bar::AtLeastOfFloor(0.9) };
const CPU_UP: Figure =
    Figure { name: "resumable, CPU of all relays, up", unit: "s/GiB", bar: Bar::AtMostOfFloor(1.15) };
const CPU_DOWN: Figure =
    Figure { name: "resumable, CPU of all relays, down", unit: "s/GiB", bar: Bar::AtMostOfFloor(1.15) };
const CLIENT: Figure =
    Figure { name: "idle resumable session, client, more than plain", unit: "KiB", bar: Bar::AtMost(4.0) };
const CONNECTOR: Figure =
    Figure { name: "idle resumable session, connector, more than plain", unit: "KiB", bar: Bar::AtMost(4.0) };
const GATEWAY: Figure =
    Figure { name: "idle resumable session, gateway, more than plain", unit: "KiB", bar: Bar::Told };

pub(super) async fn measure(plan: &Plan, plain: &Stack, report: &mut Report) -> Result<()> {
    let Some(resumable) = plain.resumable.as_deref() else { return Ok(()) };
    for _ in 0..plan.rounds {
        for (whose, stack) in [(Whose::Floor, plain), (Whose::Ours, resumable)] {
            let up = transfer(stack, "up", plan.bytes, 1).await?;
            report.add(UP, whose, up.gbits);
            report.add(CPU_UP, whose, up.cpu_per_gib());
            let down = transfer(stack, "down", plan.bytes, 1).await?;
            report.add(DOWN, whose, down.gbits);
            report.add(CPU_DOWN, whose, down.cpu_per_gib());
        }
    }
    let [without, with] = [idle_kib(plain).await?, idle_kib(resumable).await?];
    for (figure, n) in [(CLIENT, 0), (CONNECTOR, 1), (GATEWAY, 2)] {
        report.add(figure, Whose::Ours, with[n] - without[n]);
    }
    Ok(())
}

/// KiB of one idle session at the client, the connector and the gateway. The second thousand is counted: the first one
/// has made what any number of sessions shares.
async fn idle_kib(stack: &Stack) -> Result<[f64; 3]> {
    let first = hold(stack, IDLE).await?;
    tokio::time::sleep(SETTLE).await;
    let before = sides_kib(stack)?;
    let second = hold(stack, IDLE).await?;
    tokio::time::sleep(SETTLE).await;
    let after = sides_kib(stack)?;
    memory::close(first).await?;
    memory::close(second).await?;
    tokio::time::sleep(SETTLE).await;
    Ok(std::array::from_fn(|side| (after[side] - before[side]) / f64::from(IDLE)))
}

fn sides_kib(stack: &Stack) -> Result<[f64; 3]> {
    let (gateway, connector) = stack.pss_kib()?;
    Ok([stack.clients_pss_kib()?, connector, gateway])
}
