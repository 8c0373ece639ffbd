//! What proves who somebody is, or lets something in once: stored as hashes or sealed, never readable from a dump.

mod app_tokens;
mod bootstrap;
mod browsers;
mod codes;
mod devices;
mod enrolment;
mod envelope;
mod let_in;
mod provided;
mod refresh;
mod service_tokens;
mod sign_ins;
mod signing_keys;
mod uses;

pub use app_tokens::AppToken;
pub use bootstrap::{BootstrapError, NewOwner};
pub use codes::{AuthorizationCode, CodeRedemption};
pub use devices::{DeviceApproval, DeviceAuthorization, DevicePoll, DeviceState};
pub use enrolment::{ConnectorKey, EnrolError, EnrolmentToken};
pub use provided::{Due, DueRefresh, ProviderWord, SignedOut};
pub use refresh::{RefreshOutcome, RefreshToken};
pub use service_tokens::ServiceToken;
pub use sign_ins::SignIn;
pub use signing_keys::{KeyKind, SigningKey};

/// The SHA-256 of a secret of at least 256 random bits: all that the store ever keeps of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

impl SecretHash {
    pub(crate) fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}
