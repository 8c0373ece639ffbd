//! Resumable streams through a gateway in memory: each link can die in any way and is dialed again.

mod bounds;
mod carrying;
mod client;
mod ending;
mod hostile;
mod near;
mod scene;
mod wire;

use super::within;
