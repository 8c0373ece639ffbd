//! Typed ids: `prefix_` + 26 characters of Crockford base 32 (lower case) over a UUIDv7, so that text sorts by time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ENCODED_LEN: usize = 26;
/// What follows the prefix, for those who never saw an id.
const EXAMPLE: &str = "01m8f0gz09e31tsg9kmr30mzr5";

/// Text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a {kind}, which is {prefix} and 26 letters and digits, such as {prefix}{EXAMPLE}")]
pub struct ParseIdError {
    kind: &'static str,
    prefix: &'static str,
}

fn encode(value: u128) -> String {
    (0..ENCODED_LEN)
        .map(|i| {
            let shift = 5 * (ENCODED_LEN - 1 - i);
            let digit = usize::try_from((value >> shift) & 31).unwrap_or(0);
            char::from(ALPHABET.get(digit).copied().unwrap_or(b'0'))
        })
        .collect()
}

fn decode(text: &str) -> Option<u128> {
    if text.len() != ENCODED_LEN {
        return None;
    }
    text.bytes().try_fold(0u128, |value, byte| {
        let digit = ALPHABET.iter().position(|&c| c == byte)?;
        // 26 digits hold 130 bits: the two that do not fit must be zero.
        if value >> 123 != 0 {
            return None;
        }
        Some((value << 5) | u128::try_from(digit).ok()?)
    })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The text that every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// A time-ordered id (UUIDv7, RFC 9562 section 5.7) from the caller's clock and entropy.
            pub fn mint(now: crate::Timestamp, entropy: [u8; 10]) -> Self {
                let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid())
            }

            /// From the 16 bytes that [`Self::to_bytes`] gives.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id as 16 bytes, big-endian.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(&encode(self.0.as_u128()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix($prefix)
                    .and_then(decode)
                    .map(|value| Self(Uuid::from_u128(value)))
                    .ok_or(ParseIdError { kind: $kind, prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// One private network.
    SiteId = "sit_", "site";
    /// One agent of a site.
    ConnectorId = "con_", "connector";
    /// One process start of a connector.
    InstanceId = "ins_", "connector process";
    /// Something reachable at a site.
    ResourceId = "res_", "resource";
    /// A person.
    UserId = "usr_", "user";
    /// A set of principals.
    GroupId = "grp_", "group";
    /// A principal that is a program.
    ServiceAccountId = "sva_", "service account";
    /// The simple form of a rule; compiles to Cedar.
    GrantId = "gra_", "grant";
    /// A rule written as Cedar text.
    PolicyId = "pol_", "policy";
    /// The SSO session behind a person's sessions.
    SignInId = "sin_", "sign-in";
    /// One admitted access.
    SessionId = "ses_", "session";
    /// One allow or deny.
    DecisionId = "dec_", "decision";
    /// A secret that was issued: enrolment, service-account or refresh token, device code.
    TokenId = "tok_", "token";
    /// One gateway process' state directory.
    NodeId = "nod_", "gateway node";
    /// A resumable byte stream; the client chooses it.
    StreamId = "str_", "stream";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = SessionId::mint(Timestamp::from_secs(1_700_000_000), [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().starts_with("ses_"));
    }

    #[test]
    fn what_is_no_id_is_told_in_words_and_shown_a_right_one() {
        let told = |text: &str| text.parse::<DecisionId>().map_err(|error| error.to_string());
        let said = "not the id of a decision, which is dec_ and 26 letters and digits, such as \
                    dec_01m8f0gz09e31tsg9kmr30mzr5";
        assert_eq!(told("nonsense"), Err(said.to_owned()));
        assert!(said.rsplit(' ').next().is_some_and(|shown| told(shown).is_ok()));
    }

    #[test]
    fn ids_sort_by_time_as_text() {
        let early = UserId::mint(Timestamp::from_secs(1_000), [255; 10]).to_string();
        let late = UserId::mint(Timestamp::from_secs(1_001), [0; 10]).to_string();
        assert!(early < late);
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = UserId::mint(Timestamp::EPOCH, [1; 10]).to_string();
        assert!(id.parse::<GroupId>().is_err());
    }

    #[test]
    fn text_beyond_128_bits_is_refused() {
        assert!("ses_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<SessionId>().is_err());
        assert!("ses_7zzzzzzzzzzzzzzzzzzzzzzzzz".parse::<SessionId>().is_ok());
        assert!("ses_8zzzzzzzzzzzzzzzzzzzzzzzzz".parse::<SessionId>().is_err());
    }
}
