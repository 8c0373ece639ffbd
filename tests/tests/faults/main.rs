//! The fault catalogue on real processes: each test bears the row's id.

mod connectors;
mod database;
mod embedded;
mod feed;
mod journal;
mod names;
mod small_disk;
mod support;
mod targets;
