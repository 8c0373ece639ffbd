//! The way in of Postern's own command: a link whose lanes each ask for one session.

mod authenticate;
mod link;
mod links;
mod request;
mod shared;

pub use authenticate::{Authenticator, Caller, NotAuthenticated};
pub use link::serve;
pub use links::ClientLinks;
pub use shared::ClientIngress;
