//! Prints how long decisions take on the data set, and how long a revocation needs to look at every live session.
#![expect(clippy::disallowed_methods, reason = "measuring time is what it is for")]

use postern_ids::{SessionId, Timestamp};
use postern_policy::{
    Revoked, Snapshot, Staleness,
    dataset::Dataset,
    decide,
    live::{Current, LiveTable},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

fn percentile(sorted: &[Duration], per_cent: usize) -> Duration {
    sorted.get(sorted.len() * per_cent / 100).copied().unwrap_or_default()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let max = times.last().copied().unwrap_or_default();
    println!(
        "{what:<38} n {:>6}  p50 {:>9.1?}  p99 {:>9.1?}  max {:>9.1?}",
        times.len(),
        percentile(&times, 50),
        percentile(&times, 99),
        max
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = Dataset::new(7);
    let begun = Instant::now();
    let snapshot = Arc::new(Snapshot::build(data.source.clone())?);
    println!("{:<38} {:.1?}", "snapshot, first", begun.elapsed());

    decisions(&data, &snapshot);
    records(&data, &snapshot);
    live(&data, &snapshot)
}

/// Each request is decided five times and the fastest counts: what is measured is the decision, not who else wants the CPU.
fn decisions(data: &Dataset, snapshot: &Snapshot) {
    let (mut allowed, mut denied, mut first) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..20_000 {
        let request = data.request(n);
        let time = || {
            let begun = Instant::now();
            let answer = decide(&request, snapshot, Staleness::FRESH, data.now);
            (begun.elapsed(), answer.is_ok())
        };
        let runs = [time(), time(), time(), time(), time()];
        first.push(runs[0].0);
        let (took, is_allowed) = runs.into_iter().min().unwrap_or_default();
        if is_allowed { allowed.push(took) } else { denied.push(took) }
    }
    report("decide, as it comes", first);
    report("decide, undisturbed", allowed.iter().chain(&denied).copied().collect());
    report("decide, undisturbed, allowed", allowed);
    report("decide, undisturbed, denied", denied);
}

fn records(data: &Dataset, snapshot: &Snapshot) {
    let (mut permits, mut denials) = (Vec::new(), Vec::new());
    for n in 0..500 {
        let answer = decide(&data.request(n), snapshot, Staleness::FRESH, data.now);
        let begun = Instant::now();
        match answer {
            Ok(permit) => {
                let _ = permit.record();
                permits.push(begun.elapsed());
            }
            Err(deny) => {
                let _ = deny.record();
                denials.push(begun.elapsed());
            }
        }
    }
    report("record of a permit", permits);
    report("record of a denial", denials);
}

fn live(data: &Dataset, snapshot: &Arc<Snapshot>) -> Result<(), Box<dyn std::error::Error>> {
    let table = LiveTable::default();
    let mut n = 0u64;
    while table.len() < 10_000 {
        n += 1;
        let mut request = data.granted_request(n);
        let mut session = request.session.to_bytes();
        session[8..].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        request.session = SessionId::from_bytes(session);
        let Ok(permit) = decide(&request, snapshot, Staleness::FRESH, data.now) else { continue };
        let current = || Current {
            snapshot: snapshot.clone(),
            staleness: Staleness::FRESH,
            principal: Some(request.principal.clone()),
        };
        table.enter(permit, (), current, data.now).map_err(|deny| deny.reason().label())?;
    }
    println!("{:<38} {}", "live sessions", table.len());
    pass("reconcile, nothing changed", &table, snapshot, data.now);

    let mut source = data.source.clone();
    source.revision = 2;
    source.revoked = Arc::new(Revoked::default());
    let begun = Instant::now();
    let next = Arc::new(snapshot.next(source.clone())?);
    println!("{:<38} {:.1?}", "snapshot, revocations only", begun.elapsed());
    pass("reconcile, revocations only", &table, &next, data.now);

    source.revision = 3;
    let mut rules = (*source.rules).clone();
    rules.grants.retain(|grant| !grant.name.as_str().starts_with("exact-"));
    source.rules = Arc::new(rules);
    let begun = Instant::now();
    let next = Arc::new(next.next(source)?);
    println!("{:<38} {:.1?}", "snapshot, 200 grants deleted", begun.elapsed());
    pass("reconcile, all grants deleted", &table, &next, data.now);
    println!("{:<38} {}", "live sessions left", table.len());
    Ok(())
}

fn pass(what: &str, table: &LiveTable<()>, snapshot: &Arc<Snapshot>, now: Timestamp) {
    let begun = Instant::now();
    let mut slices = Vec::new();
    let mut cuts = 0;
    let mut pass = table.reconcile(snapshot.clone(), Staleness::FRESH, now);
    while !pass.is_done() {
        let slice = Instant::now();
        cuts += pass.step(64).len();
        slices.push(slice.elapsed());
    }
    println!("{what:<38} {:.1?}, {cuts} cut", begun.elapsed());
    report("  slice of 64", slices);
}
