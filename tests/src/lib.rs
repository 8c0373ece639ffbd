//! The end-to-end harness: real gateways, connectors, clients, sshds and databases as processes, on ports from the kernel.
//!
//! A test names what it needs, the harness starts it and stops it by its own pid. Nothing here links the product: what a test
//! sees is what a person sees — programs, files, bytes, HTTP. `cargo xtask` builds its demo on the same library.
#![forbid(unsafe_code)]

pub mod apps;
pub mod chance;
pub mod chaos;
pub mod client;
mod connect_proxy;
mod connector;
pub mod curl;
pub mod fake_clock;
mod fault_proxy;
pub mod fleet;
mod gateway;
pub mod h2;
pub mod idp;
mod name_server;
mod namespace;
mod opened;
pub mod pages;
pub mod postgres;
mod process;
pub mod raw;
mod scratch;
mod size;
mod skip;
mod sshd;
pub mod target;
pub mod tools;
mod wait;
pub mod workload;
pub mod world;

pub use chance::Chance;
pub use client::{Client, Ran};
pub use connect_proxy::ConnectProxy;
pub use connector::Connector;
pub use fault_proxy::{FaultProxy, Path as FaultPath, Side, Way};
pub use fleet::{Fleet, Plan};
pub use gateway::{Gateway, GatewayOptions};
pub use idp::Idp;
pub use name_server::NameServer;
pub use namespace::{Namespace, Packets};
pub use opened::OpenedBrowser;
pub use postgres::Postgres;
pub use process::{Process, Signal};
pub use raw::Raw;
pub use scratch::{Scratch, scenario};
pub use size::sized;
pub use skip::skipped;
pub use sshd::Sshd;
pub use target::{Manner, Target};
pub use wait::{eventually, free_port, until};
pub use workload::{Pace, Witness, Workload};
pub use world::{World, documents};
