//! The one door. Every way in asks [`Door::admit`]; only an admitted session can be opened, only an opened one spliced,
//! and each ends exactly once. The types leave no other way: [`Session`] holds what the journal gave back for the permit
//! that policy gave, is made here only, and is consumed by the next step.

mod admit;
mod ending;
mod limits;
mod session;

pub use admit::{Asking, Door, Refused};
pub use limits::{OverLimit, PrincipalLimits};
pub use session::{OpenSession, Session};
