//! The one door. Every way in asks [`Door::admit`], and every client that comes back [`Door::readmit`]; only an admitted
//! session can be opened, only an opened one spliced, and each ends exactly once. The types leave no other way: [`Session`]
//! holds what the journal gave back for the permit that policy gave, is made here only, and is consumed by the next step.
//!
//! A session is always in exactly one place: in the hands of the task that carries it, or in the table of those that wait
//! for their client ([`HeldSessions`]).

mod abandoned;
mod admit;
mod again;
mod duty;
mod ending;
mod held;
mod keep;
mod limits;
mod readmit;
mod refused;
mod session;
mod stream;
mod web;

pub use abandoned::Abandoned;
pub use admit::{Asking, Door};
pub use held::{HeldOf, HeldSessions};
pub use keep::keep;
pub use limits::{OverLimit, PrincipalLimits};
pub use readmit::Resuming;
pub use refused::Refused;
pub use session::{OpenSession, Session};
pub use stream::Stream;
pub use web::{Watched, WebSession};
