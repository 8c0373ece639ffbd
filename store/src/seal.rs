//! Sealing: secrets at rest are readable only under the master key, and only in the place they were sealed for.
//!
//! A sealed value is `1 ‖ key id (8) ‖ nonce (12) ‖ AES-256-GCM ciphertext and tag`; table, row id and column are the
//! associated data, so a value copied to another row does not open there.

mod keys;
mod master_key;

pub(crate) use keys::{MasterKeys, Seals};
pub(crate) use master_key::{MasterKeyError, create, read};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    digest,
};
use zeroize::Zeroizing;

const FORMAT: u8 = 1;
const KEY_ID_LEN: usize = 8;
const NONCE_LEN: usize = 12;
const HEADER_LEN: usize = 1 + KEY_ID_LEN;

/// Why a sealed value did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// It is not a sealed value of a format this program knows.
    #[error("it has no known format")]
    Format,
    /// It was sealed under another master key.
    #[error("it was sealed under another master key")]
    OtherKey,
    /// It was altered, or sealed for another place.
    #[error("it was altered, or moved from another place")]
    Altered,
}

/// Tells master keys apart without telling them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyId([u8; KEY_ID_LEN]);

impl KeyId {
    /// Under which key a value was sealed.
    pub(crate) fn of(sealed: &[u8]) -> Option<Self> {
        let (format, rest) = sealed.split_first()?;
        let (id, _) = rest.split_first_chunk()?;
        (*format == FORMAT).then_some(Self(*id))
    }

    /// As it stands in a sealed value.
    pub(crate) fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The place of a sealed value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a str,
    pub(crate) column: &'static str,
}

impl Place<'_> {
    /// Length-prefixed, so that no two places share their bytes.
    fn associated_data(self) -> Vec<u8> {
        let mut out = b"postern.seal.v1".to_vec();
        for part in [self.table, self.id, self.column] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

/// Seals and opens values under one master key.
pub(crate) struct Sealer {
    key: RandomizedNonceKey,
    id: KeyId,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    pub(crate) fn new(master: &[u8; 32]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"postern.master-key-id.v1");
        context.update(master);
        let mut id = [0; KEY_ID_LEN];
        for (to, from) in id.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, master).expect("an AES-256 key has 32 bytes");
        Self { key, id: KeyId(id) }
    }

    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) fn seal(&self, place: Place<'_>, secret: &[u8]) -> Vec<u8> {
        let mut text = secret.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(place.associated_data()), &mut text)
            .expect("AES-GCM refuses only inputs of 64 GiB and more");
        let mut out = Vec::with_capacity(HEADER_LEN + NONCE_LEN + text.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(nonce.as_ref());
        out.extend_from_slice(&text);
        out
    }

    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        if KeyId::of(sealed).ok_or(UnsealError::Format)? != self.id {
            return Err(UnsealError::OtherKey);
        }
        let (_, rest) = sealed.split_at_checked(HEADER_LEN).ok_or(UnsealError::Format)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(UnsealError::Format)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| UnsealError::Format)?;
        let mut text = Zeroizing::new(text.to_vec());
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(place.associated_data()), &mut text)
            .map_err(|_| UnsealError::Altered)?
            .len();
        text.truncate(plain);
        Ok(text)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place { table: "signing_keys", id: "k1", column: "secret" };

    #[test]
    fn l03_a_sealed_value_opens_only_in_its_place() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal(HERE, b"private");
        assert_eq!(sealer.open(HERE, &sealed).unwrap().as_slice(), b"private");
        for elsewhere in [
            Place { table: "refresh_tokens", ..HERE },
            Place { id: "k2", ..HERE },
            Place { column: "public", ..HERE },
            Place { table: "signing_keysk", id: "1", ..HERE },
        ] {
            assert_eq!(sealer.open(elsewhere, &sealed), Err(UnsealError::Altered));
        }
    }

    #[test]
    fn l03_every_flipped_bit_and_every_cut_is_noticed() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal(HERE, b"private");
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(sealer.open(HERE, &bad).is_err(), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert!(sealer.open(HERE, &sealed[..len]).is_err(), "length {len}");
        }
    }

    #[test]
    fn another_master_key_is_told_apart_from_an_altered_value() {
        let sealed = Sealer::new(&[7; 32]).seal(HERE, b"private");
        assert_eq!(Sealer::new(&[8; 32]).open(HERE, &sealed), Err(UnsealError::OtherKey));
    }

    #[test]
    fn two_seals_of_one_secret_differ() {
        let sealer = Sealer::new(&[7; 32]);
        assert_ne!(sealer.seal(HERE, b"private"), sealer.seal(HERE, b"private"));
    }
}
