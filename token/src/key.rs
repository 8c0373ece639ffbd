//! Keys: which algorithm they are bound to, and the name that follows from the key itself.

use crate::{alg::Alg, b64, jwk, malleable, small_order};
use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair, ParsedPublicKey,
    },
};
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// A key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The private key is not a PKCS #8 key of the named algorithm.
    #[error("the private key is not a valid PKCS #8 key of this algorithm")]
    Private,
    /// The public key is not a point of its curve, or a point that everybody can sign for.
    #[error("the public key is not valid for this algorithm")]
    Public,
    /// The JSON Web Key is not of a kind that is used here.
    #[error("the JSON Web Key is not an Ed25519 or P-256 public key")]
    Jwk,
    /// The operating system gave no randomness.
    #[error("the system has no randomness for a new key")]
    Randomness,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

struct Inner {
    pair: Pair,
    pkcs8: Zeroizing<Vec<u8>>,
    public: VerifyingKey,
}

/// A private key with its algorithm and name. Cheap to clone; never printed.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

impl SigningKey {
    /// A new key from the system's randomness.
    pub fn generate(alg: Alg) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let document = match alg {
            Alg::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            Alg::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
        };
        Self::from_pkcs8(alg, document.map_err(|_| KeyError::Randomness)?.as_ref())
    }

    /// A stored key.
    pub fn from_pkcs8(alg: Alg, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let (pair, public) = match alg {
            Alg::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map_err(|_| KeyError::Private)?;
                let public = VerifyingKey::from_p256_point(pair.public_key().as_ref())?;
                (Pair::Es256(pair), public)
            }
            Alg::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::Private)?;
                let raw = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Public)?;
                (Pair::EdDsa(pair), VerifyingKey::from_ed25519(raw)?)
            }
        };
        Ok(Self(Arc::new(Inner { pair, pkcs8: Zeroizing::new(pkcs8.to_vec()), public })))
    }

    /// The private key in PKCS #8, for sealed storage only.
    pub fn pkcs8(&self) -> &[u8] {
        &self.0.pkcs8
    }

    /// The algorithm this key is bound to.
    pub fn alg(&self) -> Alg {
        self.0.public.alg()
    }

    /// The key's name: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        self.0.public.kid()
    }

    /// The public half.
    pub fn verifying(&self) -> &VerifyingKey {
        &self.0.public
    }

    /// A raw signature over `message`: 64 bytes for both algorithms.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.0.pair {
            Pair::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Es256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| malleable::lower(signature.as_ref()))
                .map_err(|_| KeyError::Randomness),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

struct Public {
    alg: Alg,
    kid: String,
    /// 32 bytes for Ed25519; the uncompressed point (65 bytes) for P-256.
    bytes: Vec<u8>,
    parsed: ParsedPublicKey,
}

/// A public key, checked when it was made. Cheap to clone.
#[derive(Clone)]
pub struct VerifyingKey(Arc<Public>);

impl VerifyingKey {
    /// A raw Ed25519 key. Points of small order are refused: anyone can make signatures that verify under them.
    pub fn from_ed25519(raw: [u8; 32]) -> Result<Self, KeyError> {
        if small_order::is_weak(&raw) {
            return Err(KeyError::Public);
        }
        Self::checked(Alg::EdDsa, raw.to_vec())
    }

    /// An uncompressed P-256 point; it must lie on the curve.
    pub(crate) fn from_p256_point(point: &[u8]) -> Result<Self, KeyError> {
        if point.len() != 65 || point.first() != Some(&4) {
            return Err(KeyError::Public);
        }
        Self::checked(Alg::Es256, point.to_vec())
    }

    fn checked(alg: Alg, bytes: Vec<u8>) -> Result<Self, KeyError> {
        let parsed = match alg {
            Alg::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &bytes),
            Alg::EdDsa => ParsedPublicKey::new(&ED25519, &bytes),
        }
        .map_err(|_| KeyError::Public)?;
        let kid = b64::encode(digest::digest(&digest::SHA256, jwk::thumbprint_input(alg, &bytes).as_bytes()));
        Ok(Self(Arc::new(Public { alg, kid, bytes, parsed })))
    }

    /// The algorithm this key is bound to.
    pub fn alg(&self) -> Alg {
        self.0.alg
    }

    /// The key's name: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The 32 bytes of an Ed25519 key; nothing for another algorithm.
    pub fn raw(&self) -> Option<[u8; 32]> {
        match self.0.alg {
            Alg::EdDsa => self.0.bytes.as_slice().try_into().ok(),
            Alg::Es256 => None,
        }
    }

    /// The key as a JSON Web Key with `kid`, `alg` and `use`.
    pub fn to_jwk(&self) -> serde_json::Value {
        jwk::public(self.0.alg, &self.0.bytes, &self.0.kid)
    }

    /// Reads a JSON Web Key. Its `kid` is not believed: a key's name follows from the key.
    pub fn from_jwk(jwk: &serde_json::Value) -> Result<Self, KeyError> {
        match jwk::read(jwk).ok_or(KeyError::Jwk)? {
            jwk::Read::Ed25519(raw) => Self::from_ed25519(raw),
            jwk::Read::P256(point) => Self::from_p256_point(&point),
        }
    }

    /// Whether `signature` was made over `message` by this key.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // Both algorithms have fixed signatures; a DER-shaped or padded one is another encoding of the same yes, and so is
        // the twin of an ECDSA signature. Of Ed25519 the library refuses twins.
        let is_only_form = match self.0.alg {
            Alg::Es256 => malleable::is_lower(signature),
            Alg::EdDsa => true,
        };
        signature.len() == 64 && is_only_form && self.0.parsed.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.alg == other.0.alg && self.0.bytes == other.0.bytes
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {})", self.0.alg.name(), self.0.kid)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_stored_form_and_keeps_its_name() {
        for alg in [Alg::Es256, Alg::EdDsa] {
            let key = SigningKey::generate(alg).unwrap();
            let again = SigningKey::from_pkcs8(alg, key.pkcs8()).unwrap();
            assert_eq!(key.kid(), again.kid());
            assert!(again.verifying().verifies(b"x", &key.sign(b"x").unwrap()));
            assert_eq!(VerifyingKey::from_jwk(&key.verifying().to_jwk()).unwrap(), *key.verifying());
        }
    }

    #[test]
    fn a_private_key_of_one_algorithm_is_not_a_key_of_the_other() {
        let key = SigningKey::generate(Alg::EdDsa).unwrap();
        assert_eq!(SigningKey::from_pkcs8(Alg::Es256, key.pkcs8()).err(), Some(KeyError::Private));
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let mut point = [7u8; 65];
        point[0] = 4;
        assert_eq!(VerifyingKey::from_p256_point(&point).err(), Some(KeyError::Public));
        assert_eq!(
            VerifyingKey::from_p256_point(&[0]).err(),
            Some(KeyError::Public),
            "the point at infinity"
        );
    }

    #[test]
    fn a_private_key_prints_only_its_name() {
        let key = SigningKey::generate(Alg::EdDsa).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ kid: {:?}, .. }}", key.kid()));
    }

    #[test]
    fn the_name_is_the_thumbprint_of_the_standard() {
        // The key and its thumbprint from RFC 8037, appendices A.2 and A.3.
        let jwk = serde_json::json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(
            VerifyingKey::from_jwk(&jwk).unwrap().kid(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }
}
