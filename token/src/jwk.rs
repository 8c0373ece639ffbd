//! JSON Web Keys (RFC 7517, RFC 8037) for the two kinds of public keys that are used here.

use crate::{alg::Alg, b64};
use serde_json::{Value, json};

/// The members of RFC 7638 section 3.2 in their fixed order.
pub(crate) fn thumbprint_input(alg: Alg, bytes: &[u8]) -> String {
    match alg {
        Alg::EdDsa => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64::encode(bytes)),
        Alg::Es256 => {
            let (x, y) = coordinates(bytes);
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
    }
}

pub(crate) fn public(alg: Alg, bytes: &[u8], kid: &str) -> Value {
    match alg {
        Alg::EdDsa => {
            json!({"kty":"OKP","crv":"Ed25519","x":b64::encode(bytes),"kid":kid,"alg":alg.name(),"use":"sig"})
        }
        Alg::Es256 => {
            let (x, y) = coordinates(bytes);
            json!({"kty":"EC","crv":"P-256","x":x,"y":y,"kid":kid,"alg":alg.name(),"use":"sig"})
        }
    }
}

fn coordinates(point: &[u8]) -> (String, String) {
    let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
    (b64::encode(x), b64::encode(y))
}

pub(crate) enum Read {
    Ed25519([u8; 32]),
    P256(Vec<u8>),
}

/// The public key in a JSON Web Key; nothing when it is of another kind or malformed.
pub(crate) fn read(jwk: &Value) -> Option<Read> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    match (text("kty")?, text("crv")?) {
        ("OKP", "Ed25519") => Some(Read::Ed25519(b64::decode_array(text("x")?)?)),
        ("EC", "P-256") => {
            let x: [u8; 32] = b64::decode_array(text("x")?)?;
            let y: [u8; 32] = b64::decode_array(text("y")?)?;
            Some(Read::P256([&[4][..], &x, &y].concat()))
        }
        _ => None,
    }
}
