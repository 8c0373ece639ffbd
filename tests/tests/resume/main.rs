//! Sessions that survive, on real processes: gateways are killed, links are cut, addresses change, and not one byte is lost or
//! comes twice. Each test bears the id of its row in the threat catalogue.

mod gateways;
mod network;
mod rights;
mod streams;
mod support;
mod time;
