//! `postern-connector`.
fn main() {}
