//! Signatures that are none, and those that are almost one.

use crate::forge::{self, Forge};
use postern_token::{ACCESS_AUDIENCE, Rejected, VerifyingKey};
use serde_json::{Value, json};

#[test]
fn j05_a_signature_that_is_not_one_is_refused() {
    let forge = Forge::new();
    let token = forge.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let good = forge::decode(signature);
    let n = order();
    let mut above = n.clone();
    above[31] += 1;
    let mut hostile = vec![
        vec![],
        vec![0; 64],
        [vec![0; 32], good[32..].to_vec()].concat(),
        [good[..32].to_vec(), vec![0; 32]].concat(),
        [n.clone(), n.clone()].concat(),
        [above.clone(), good[32..].to_vec()].concat(),
        [good[..32].to_vec(), above].concat(),
        [n.clone(), good[32..].to_vec()].concat(),
        [good[..32].to_vec(), n].concat(),
        good[..63].to_vec(),
        [good.clone(), vec![0]].concat(),
        vec![0xff; 64],
        [good[32..].to_vec(), good[..32].to_vec()].concat(),
        good[..32].to_vec(),
        good[1..].to_vec(),
        [good.clone(), good.clone()].concat(),
        vec![0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00],
    ];
    for bit in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        hostile.push(flipped);
    }
    for signature in hostile {
        let token = format!("{signed}.{}", forge::encode(&signature));
        assert_eq!(forge.access(&token), Err(Rejected::BadSignature), "{signature:?}");
    }
    for spelling in
        [format!("{signature}="), format!("{signature}AA"), format!(" {signature}"), "!".to_owned()]
    {
        assert_eq!(
            forge.access(&format!("{signed}.{spelling}")),
            Err(Rejected::BadSignature),
            "{spelling:?}"
        );
    }
    assert_eq!(forge.access(&token), Ok(()));
}

#[test]
fn j05_the_twin_of_a_good_signature_is_refused() {
    let forge = Forge::new();
    // Enough that both kinds of s have come out of the algorithm.
    for _ in 0..16 {
        let token = forge.token();
        assert_eq!(forge.access(&token), Ok(()));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let twin = twin(&forge::decode(signature));
        assert!(
            verifies_elsewhere(&forge, signed, &twin),
            "the twin is a signature to whoever does not look"
        );
        let twin = format!("{signed}.{}", forge::encode(&twin));
        assert_eq!(forge.access(&twin), Err(Rejected::BadSignature));
    }
}

#[test]
fn j05_a_signature_of_another_curve_is_refused_and_so_is_its_key() {
    use aws_lc_rs::signature::{
        ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    };
    let forge = Forge::new();
    let token = forge.token();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let random = aws_lc_rs::rand::SystemRandom::new();
    for (algorithm, crv) in
        [(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"), (&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521")]
    {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let foreign = pair.sign(&random, signed.as_bytes()).unwrap();
        for signature in [foreign.as_ref(), &foreign.as_ref()[..64]] {
            let token = format!("{signed}.{}", forge::encode(signature));
            assert_eq!(forge.access(&token), Err(Rejected::BadSignature), "{crv}");
        }
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        for crv in [crv, "P-256", "secp256k1"] {
            let jwk = json!({"kty": "EC", "crv": crv, "x": forge::encode(x), "y": forge::encode(y)});
            assert!(VerifyingKey::from_jwk(&jwk).is_err(), "{crv}");
        }
    }
    // A point of the right length that is not on the curve: an invalid-curve key.
    let jwk = forge.key.verifying().to_jwk();
    let moved = json!({"kty": "EC", "crv": "P-256", "x": jwk["y"], "y": jwk["x"]});
    assert!(VerifyingKey::from_jwk(&moved).is_err());
}

#[test]
fn j05_an_ed25519_signature_with_a_large_scalar_is_refused() {
    let forge = Forge::grant();
    let token = forge.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut malleated = forge::decode(signature);
    // s + L verifies in sloppy implementations: L is the group order, little-endian.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0u16;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    assert_eq!(
        forge.grant_verdict(&format!("{signed}.{}", forge::encode(&malleated))),
        Err(Rejected::BadSignature)
    );
    assert_eq!(forge.grant_verdict(&token), Ok(()));
}

#[test]
fn what_an_independent_library_signs_is_accepted_and_the_other_way_round() {
    let forge = Forge::new();
    let header: jsonwebtoken::Header = serde_json::from_str(&forge.header()).unwrap();
    let claims: Value = serde_json::from_str(&forge.payload()).unwrap();
    let key = jsonwebtoken::EncodingKey::from_ec_der(forge.key.pkcs8());
    // It does not choose between the twins; one of the two is the form that is accepted.
    let theirs = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    let (signed, signature) = theirs.rsplit_once('.').unwrap();
    let twin = format!("{signed}.{}", forge::encode(&twin(&forge::decode(signature))));
    let verdicts = [forge.access(&theirs), forge.access(&twin)];
    assert!(verdicts.contains(&Ok(())) && verdicts.contains(&Err(Rejected::BadSignature)), "{verdicts:?}");

    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(forge.key.verifying().to_jwk()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.validate_exp = false;
    validation.set_audience(&[ACCESS_AUDIENCE]);
    validation.set_issuer(&[forge::ISSUER]);
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    assert_eq!(jsonwebtoken::decode::<Value>(&forge.token(), &key, &validation).unwrap().claims, claims);
}

/// The order of P-256.
fn order() -> Vec<u8> {
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    (0..32).map(|i| u8::from_str_radix(&order[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// (r, n − s) of (r, s).
fn twin(signature: &[u8]) -> Vec<u8> {
    let mut twin = signature.to_vec();
    let mut borrow = 0;
    for (n, s) in order().into_iter().zip(&mut twin[32..]).rev() {
        let difference = i16::from(n) - i16::from(*s) - borrow;
        borrow = i16::from(difference < 0);
        *s = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    twin
}

fn verifies_elsewhere(forge: &Forge, signed: &str, signature: &[u8]) -> bool {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    let point = forge::public_bytes(&forge.key.verifying().to_jwk());
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), signature).is_ok()
}
