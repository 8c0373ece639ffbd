//! A confirmation key as RFC 7800 section 3.2 writes it: `{"jwk": {…}}` with an Ed25519 public key. For serde's `with`.

use crate::b64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

#[derive(Serialize, Deserialize)]
struct Confirmation {
    jwk: Okp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Okp {
    kty: String,
    crv: String,
    x: String,
}

impl Confirmation {
    fn of(key: &[u8; 32]) -> Self {
        Self { jwk: Okp { kty: "OKP".to_owned(), crv: "Ed25519".to_owned(), x: b64::encode(key) } }
    }

    fn key<E: Error>(&self) -> Result<[u8; 32], E> {
        let right_kind = self.jwk.kty == "OKP" && self.jwk.crv == "Ed25519";
        let key = right_kind.then(|| b64::decode_array(&self.jwk.x)).flatten();
        key.ok_or_else(|| E::custom("not an Ed25519 key"))
    }
}

pub(crate) fn serialize<S: Serializer>(key: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    Confirmation::of(key).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    Confirmation::deserialize(deserializer)?.key()
}

/// The same for a key that may be missing.
pub(crate) mod option {
    use super::Confirmation;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(key: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
        key.as_ref().map(Confirmation::of).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        Option::<Confirmation>::deserialize(deserializer)?.map(|confirmation| confirmation.key()).transpose()
    }
}
