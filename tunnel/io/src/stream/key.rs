//! The key that proves that a lane is the client's: made for one stream, never stored.

use super::Attach;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fmt;

/// The operating system gave no randomness, or the key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no randomness for a stream's key")]
pub struct KeyError;

/// A client's Ed25519 key for one stream.
pub struct StreamKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl StreamKey {
    /// A fresh key.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError)?;
        Ok(Self { pair, public })
    }

    /// The public half, as Attach and the grant's `cnf` name it.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs the message of an Attach.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        // An Ed25519 signature has 64 bytes; zeros, which verify nowhere, if the library ever says otherwise.
        self.pair.sign(message).as_ref().try_into().unwrap_or([0; 64])
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamKey").finish_non_exhaustive()
    }
}

/// Whether the proof of an Attach was made with the private half of the key that it names. Whose key that is, is for the
/// caller to compare: with the grant's `cnf`, with the ticket's, with the stream's.
pub fn verify_proof(attach: &Attach) -> bool {
    UnparsedPublicKey::new(&ED25519, attach.key).verify(&attach.proof_message(), &attach.proof).is_ok()
}
