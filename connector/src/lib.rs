//! The agent in a private network: it enrolls once, dials out to its gateways, and connects the targets that a signed
//! grant asks for and its own allow-list admits. It never listens.
#![forbid(unsafe_code)]

pub mod address;
pub mod allow;
pub mod cli;
pub mod command;
pub mod config;
mod credentials;
pub mod enroll;
pub mod environment;
pub mod gateway_clock;
pub mod held;
mod http_client;
pub mod identity;
pub mod link;
pub mod links;
pub mod live;
pub mod pins;
pub mod run;
pub mod serve;
pub mod status;
pub mod target;
