//! The node as a whole: what is started in which order, and how it ends.

mod certificate;
mod files;
mod first_start;
mod foundation;
mod internal;
mod present;
mod serve;
mod start;
mod stop;

pub use foundation::migrate;
pub use serve::serve;
pub use start::Node;
