//! Peers that are authenticated and do what they like above the link.

mod client;
mod connector;
mod forgery;
mod records;

pub(crate) use client::HostileClient;
pub(crate) use connector::HostileConnector;
pub(crate) use forgery::forged;
