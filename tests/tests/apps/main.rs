//! Web applications behind the gateway, on real processes: sign-in, hand-over, forwarding, and what ends it. Each test that
//! answers a row of the threat catalogue bears its id.

mod bodies;
mod cuts;
mod deaf;
mod hostile;
mod identity;
mod outages;
mod places;
mod real;
mod recipes;
mod refused;
mod secrets;
mod support;
mod tokens;
mod upstreams;
mod visits;
