//! Sign-in at a company's identity provider: OpenID Connect authorization code with PKCE, refresh, and both ways to sign out.
//!
//! The provider is a peer that is believed about people and about nothing else: what it serves is fetched within limits and
//! from public addresses only, what it signs is checked with keys of its own, and a person is (issuer, subject), never an
//! e-mail address.

mod begin;
mod claims;
mod egress;
mod email;
mod finish;
mod jws;
mod keys;
mod logout;
mod metadata;
mod provider;
mod refresh;
mod rejected;
mod replays;
mod signed_in;
mod types;

pub use begin::{Begun, Pending, StepUp};
pub use claims::{ACR_MAX, ClaimRules, GroupSource, Person, is_acr};
pub use egress::{Egress, EgressError, EgressRules};
pub use email::{Email, EmailRefused};
pub use finish::Callback;
pub use logout::LogoutToken;
pub use provider::{Provider, ProviderConfig, ProviderError};
pub use rejected::Rejected;
pub use signed_in::SignedIn;
