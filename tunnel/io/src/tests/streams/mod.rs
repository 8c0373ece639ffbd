//! Resumable streams through a gateway in memory: each link can die in any way and is dialed again.

mod carrying;
mod scene;
mod wire;

use super::within;
