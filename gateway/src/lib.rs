//! The public server: it passes other people's bytes from links of clients to links of connectors, never a byte before
//! policy allowed the session and the allow was recorded, and cuts the session when policy stops allowing it.
//!
//! The straight way of a session: [`listen`] (TLS, deadlines, limits) → [`route`] → `ingress` (who asks) →
//! `sessions::admit` (the one door) → `connectors` (the link to the site) → splice. Rules are policy's, SQL is the
//! store's, frames are the tunnel's: none of them is known here.
#![forbid(unsafe_code)]

pub mod bucket;
pub mod command;
pub mod config;
pub mod connectors;
pub mod exit;
pub mod ingress;
pub mod lifecycle;
pub mod listen;
pub mod node;
pub mod policies;
pub mod route;
pub mod sessions;
pub mod signing;
pub mod telemetry;
pub mod tls;
