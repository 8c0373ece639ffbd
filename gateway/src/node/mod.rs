//! The node as a whole: what is started in which order, and how it ends.

mod bind;
mod browser;
mod certificate;
mod files;
mod first_start;
mod foundation;
mod internal;
mod maintain;
mod patience;
mod policy;
mod present;
mod reload;
mod renewal;
mod seals;
mod serve;
mod start;
mod stop;
mod tunable;
mod tunnel;

pub use foundation::migrate;
pub use serve::serve;
pub use start::Node;
