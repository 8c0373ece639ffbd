//! Who someone is, never what they may do: passwords, one-time codes, bearer credentials, enrolment, and how long each
//! of them lasts.
//!
//! Nothing here knows SQL, HTTP or policy. Time and randomness are arguments wherever a function is pure; only the
//! hashing pool touches the runtime, to keep expensive work off its threads and bounded.
#![forbid(unsafe_code)]

mod backoff;
mod bearer;
mod door;
mod enrolment;
mod hashing;
pub mod lifetimes;
pub mod oidc;
mod password;
mod pkce;
mod throttle;
mod user_code;

pub use bearer::{Bearer, NotBearer};
pub use door::{Attempted, Door, DoorRefused};
pub use enrolment::{ConnectorAsk, EnrolmentRefused, connector_ask};
pub use hashing::{HashPool, HashRefused};
pub use password::{Password, PasswordError};
pub use pkce::{CodeChallenge, PkceError};
pub use throttle::{Throttle, ThrottleLimits, Throttled};
pub use user_code::UserCode;
