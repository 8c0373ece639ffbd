//! The end-to-end harness: real gateways, connectors, clients, sshds and databases as processes, on ports from the kernel.
//!
//! A test names what it needs, the harness starts it and stops it by its own pid. Nothing here links the product: what a test
//! sees is what a person sees — programs, files, bytes, HTTP. `cargo xtask` builds its demo on the same library.
#![forbid(unsafe_code)]

pub mod client;
mod connector;
pub mod curl;
mod gateway;
pub mod postgres;
mod process;
pub mod relay;
mod scratch;
mod sshd;
pub mod target;
pub mod tools;
mod wait;
pub mod world;

pub use client::{Client, Ran};
pub use connector::Connector;
pub use gateway::{Gateway, GatewayOptions};
pub use postgres::Postgres;
pub use process::{Process, Signal};
pub use relay::{Relay, Weather};
pub use scratch::{Scratch, scenario};
pub use sshd::Sshd;
pub use target::{Manner, Target};
pub use wait::{eventually, free_port, until};
pub use world::{World, documents};
