//! Tokens that are too large, or no tokens.

use crate::forge::{self, Forge};
use postern_token::{Rejected, TOKEN_MAX_BYTES};

#[test]
fn j11_an_oversized_or_shapeless_token_is_refused_before_any_work() {
    let forge = Forge::new();
    let fits = "a".repeat(TOKEN_MAX_BYTES);
    assert_eq!(forge.access(&fits), Err(Rejected::Malformed));
    assert_eq!(forge.access(&format!("{fits}a")), Err(Rejected::TooLarge));
    assert_eq!(forge.access(&"a".repeat(1_000_000)), Err(Rejected::TooLarge));
    assert_eq!(forge.access(&".".repeat(100_000)), Err(Rejected::TooLarge));
    assert_eq!(forge.access(&".".repeat(8_000)), Err(Rejected::Malformed));
    for text in ["", ".", "..", "a.b.c", "a.b", "é.é.é", "\0.\0.\0"] {
        assert!(forge.access(text).is_err(), "{text:?}");
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(forge.access(&forge.signed(&forge.header(), &deep)), Err(Rejected::TooLarge));
    let wide = format!(r#"{{"a":[{}0]}}"#, "[],".repeat(10_000));
    assert_eq!(forge.access(&forge.signed(&forge.header(), &wide)), Err(Rejected::TooLarge));
    let in_header = format!(r#"{{"alg":{}{},"typ":"at+jwt"}}"#, "[".repeat(2_000), "]".repeat(2_000));
    assert_eq!(forge.access(&forge.signed(&in_header, &forge.payload())), Err(Rejected::AlgNotAllowed));
    let nested = format!(r#"{{"a":{}{}}}"#, "[".repeat(2_000), "]".repeat(2_000));
    assert_eq!(forge.access(&forge.signed(&forge.header(), &nested)), Err(Rejected::ClaimFormat));
}

#[test]
fn j11_what_is_too_large_or_not_signed_is_refused_before_its_claims_are_read() {
    let forge = Forge::new();
    // Claims that are no JSON: whoever read them would say so.
    let unread = forge.signed(&forge.header(), "{[{[");
    assert_eq!(forge.access(&unread), Err(Rejected::ClaimFormat), "signed");
    let (signed, _) = unread.rsplit_once('.').unwrap();
    assert_eq!(forge.access(&format!("{signed}.{}", forge::encode(&[1; 64]))), Err(Rejected::BadSignature));
    let large = forge.signed(&forge.header(), &format!("{{[{{[{}", " ".repeat(TOKEN_MAX_BYTES)));
    assert_eq!(forge.access(&large), Err(Rejected::TooLarge));
}
