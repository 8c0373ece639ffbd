//! The header of a token: read before anything about it is proven, so it costs no more than its own size.

use crate::{Rejected, b64, keyset::KID_MAX_BYTES};
use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// Exactly `alg`, `typ` and `kid`. Everything else that a header can say — keys, addresses of keys, critical extensions,
/// compression — is a reason to refuse, so nothing here can be made to fetch or inflate.
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) typ: Option<String>,
    pub(crate) kid: String,
}

/// A member that is not known ends the reading there; one that is given twice as well.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Members {
    alg: Word,
    typ: Word,
    kid: Word,
}

/// The text of a member. What is no text is looked through and not kept.
#[derive(Default)]
struct Word(Option<String>);

impl Header {
    pub(crate) fn read(text: &str) -> Result<Self, Rejected> {
        let bytes = b64::decode(text).ok_or(Rejected::Malformed)?;
        let members = members(&bytes).map_err(|_| Rejected::UnsupportedHeader)?;
        let is_named = |alg: &String| !alg.is_empty() && !alg.eq_ignore_ascii_case("none");
        let alg = members.alg.0.filter(is_named).ok_or(Rejected::AlgNotAllowed)?;
        let kid = members.kid.0.filter(|kid| kid.len() <= KID_MAX_BYTES).ok_or(Rejected::KidUnknown)?;
        Ok(Self { alg, typ: members.typ.0, kid })
    }
}

fn members(bytes: &[u8]) -> Result<Members, serde_json::Error> {
    // A struct could be written as a list as well; a header is an object.
    let is_object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !is_object {
        return Err(serde::de::Error::custom("expected an object"));
    }
    serde_json::from_slice(bytes)
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneWord)
    }
}

struct OneWord;

impl<'de> Visitor<'de> for OneWord {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Word, E> {
        Ok(Word(Some(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Word, E> {
        Ok(Word(Some(text)))
    }

    fn visit_unit<E>(self) -> Result<Word, E> {
        Ok(Word(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Word, E> {
        Ok(Word(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Word, E> {
        Ok(Word(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Word, E> {
        Ok(Word(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Word, E> {
        Ok(Word(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Word, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Word(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Word, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Word(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j11_reading_ends_at_the_first_member_that_is_not_known_whatever_stands_in_it() {
        let bomb = format!(r#"{{"alg":"ES256","x":[{}"#, "[0,".repeat(2_000));
        let column = members(bomb.as_bytes()).err().map(|error| error.column());
        assert_eq!(column, Some(r#"{"alg":"ES256","x""#.len()));
    }

    #[test]
    fn j11_of_a_known_member_only_a_text_is_kept() {
        let many = format!(r#"{{"alg":[{}0],"typ":{{"a":1}},"kid":"k"}}"#, "0,".repeat(2_000));
        let read = members(many.as_bytes()).ok();
        assert!(read.is_some_and(|m| m.alg.0.is_none() && m.typ.0.is_none() && m.kid.0.is_some()));
    }

    #[test]
    fn a_header_is_one_whole_object() {
        for bad in
            ["", "[]", r#"["ES256","at+jwt","k"]"#, "1", "{}x", "{} {}", r#"{"alg":"a","\u0061lg":"b"}"#]
        {
            assert!(members(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
