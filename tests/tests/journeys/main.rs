//! What people do all day, with stock OpenSSH, on both stores.

mod accounts;
mod connections;
mod disabled;
mod host_keys;
mod openssh;
mod proofs;
mod sessions;

use std::time::Duration;

/// For waiting on processes that take milliseconds when the machine is free.
const SOON: Duration = Duration::from_secs(30);

/// A cut is due within a second after the change; what the tests demand.
const CUT_WITHIN: Duration = Duration::from_secs(1);
