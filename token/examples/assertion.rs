//! Prints an assertion and the key set it verifies under, to try a verifier without a gateway:
//! `assertion ISSUER AUDIENCE NOW`, with the time in seconds since 1970.

use postern_ids::{SessionId, Timestamp};
use postern_token::{
    Alg, AssertionClaims, KeyError, Occasion, SigningKey, Subject, mint_assertion, mint_cloudflare_assertion,
    mint_pomerium_assertion,
};

fn main() -> Result<(), KeyError> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [issuer, audience, now] = words.as_slice() else {
        eprintln!("usage: assertion ISSUER AUDIENCE NOW");
        return Ok(());
    };
    let now = Timestamp::from_secs(now.parse().unwrap_or_default());
    let subject = Subject {
        id: "usr_01kb2ggr8000000000000000000".to_owned(),
        username: "ada".to_owned(),
        name: Some("Ada Krūmiņa".to_owned()),
        email: Some("ada@example.com".to_owned()),
        groups: vec!["developers".to_owned(), "on-call".to_owned()],
    };
    let occasion = Occasion { issuer, audience, session: SessionId::mint(now, [7; 10]), nonce: 1 };
    let claims = AssertionClaims::new(&subject, occasion, now);
    let key = SigningKey::generate(Alg::Es256)?;
    println!("{}", mint_assertion(&claims, &key)?);
    println!("{}", serde_json::json!({ "keys": [key.verifying().to_jwk()] }));
    println!("{}", mint_pomerium_assertion(&claims, &key)?);
    println!("{}", mint_cloudflare_assertion(&claims, &key)?);
    Ok(())
}
