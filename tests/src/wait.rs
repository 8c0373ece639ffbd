//! Waiting for something to become true, with a deadline and a name for what is awaited.

use anyhow::{Result, bail};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `look` gives a value; how long it took comes with it.
pub fn eventually<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<(T, Duration)> {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok((found, began.elapsed()));
        }
        if began.elapsed() >= limit {
            bail!("waited {:.1} s in vain for {what}", limit.as_secs_f64());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Looks until the condition holds, and says how long it took.
pub fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Result<Duration> {
    Ok(eventually(what, limit, || holds().then_some(()))?.1)
}

/// A loopback port that was free a moment ago, for programs that cannot ask the kernel themselves.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
