//! Secrets and keys that are not ours.

use crate::forge::{self, Forge, NOW};
use postern_token::{
    ACCESS_AUDIENCE, Expect, KeySet, Rejected, VerifyingKey,
    opaque::{Opaque, OpaqueKind},
    verify_access,
};
use serde_json::json;

#[test]
fn j14_an_opaque_token_is_whole_or_nothing() {
    let token = Opaque::from_entropy(OpaqueKind::ServiceAccount, [0x5a; 32]);
    let text = token.reveal();
    for cut in 0..text.len() {
        assert!(Opaque::parse(&text[..cut]).is_none(), "{cut} characters");
    }
    for extended in [
        format!("{text}A"),
        format!("{text}\n"),
        format!(" {text}"),
        format!("{text}\0"),
        text.to_uppercase(),
    ] {
        assert!(Opaque::parse(&extended).is_none(), "{extended:?}");
    }
    for at in 0..text.len() {
        let mut other = text.to_owned().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        let read = Opaque::parse(&other).map(|token| token.hash());
        assert_ne!(read, Some(token.hash()), "position {at}");
    }
    assert_eq!(Opaque::parse(text).map(|again| again.hash()), Some(token.hash()));
}

#[test]
fn j15_a_token_signed_by_any_other_key_is_refused() {
    let forge = Forge::new();
    let stranger = Forge::new();
    assert_eq!(forge.access(&stranger.token()), Err(Rejected::KidUnknown));
    assert_eq!(
        forge.access(&stranger.with_header("kid", json!(forge.key.kid()))),
        Err(Rejected::BadSignature)
    );
    let nobody = KeySet::new();
    let expect = Expect { issuer: forge::ISSUER, audience: ACCESS_AUDIENCE };
    assert_eq!(verify_access(&forge.token(), &nobody, expect, NOW).err(), Some(Rejected::KidUnknown));
}

#[test]
fn j15_a_key_that_everybody_can_sign_for_cannot_be_registered() {
    for raw in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        assert!(VerifyingKey::from_ed25519(raw).is_err());
    }
    let weak = json!({"kty":"oct","k":"c2VjcmV0"});
    assert!(VerifyingKey::from_jwk(&weak).is_err(), "no shared secrets");
    assert!(VerifyingKey::from_jwk(&json!({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})).is_err());
}
