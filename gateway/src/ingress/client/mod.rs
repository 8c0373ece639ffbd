//! The way in of Postern's own command: a link whose lanes each ask for one session.

mod authenticate;
mod credentials;
mod link;
mod links;
mod request;

pub use authenticate::{Authenticator, Caller, NotAuthenticated};
pub use link::{ClientIngress, serve};
pub use links::ClientLinks;
