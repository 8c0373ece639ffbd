//! Signing in at a real, certified OpenID provider: the rows of the threat catalogue about OpenID Connect.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and lives at this moment")]

mod afterwards;
mod keys;
mod signing_in;
mod support;

use postern_identity::oidc::{Callback, Pending, Provider, ProviderError, Rejected, SignedIn, StepUp};
use postern_ids::Timestamp;
use serde_json::json;
use std::time::{Instant, SystemTime};
use support::{Browser, Idp};

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

async fn begin(party: &Provider, step_up: StepUp) -> (url::Url, Pending) {
    let begun = party.begin(step_up, rand_entropy(), now(), Instant::now()).await.unwrap();
    (begun.url, begun.pending)
}

/// Three different parts, different each time.
fn rand_entropy() -> [u8; 96] {
    let seed = postern_token::opaque::Opaque::from_entropy(
        postern_token::opaque::OpaqueKind::Cookie,
        std::array::from_fn(|i| u8::try_from((now().as_micros() >> (i % 8)) & 0xff).unwrap_or(0)),
    );
    let hash = seed.hash();
    std::array::from_fn(|i| hash[i % 32].wrapping_add(u8::try_from(i / 32).unwrap_or(0)))
}

async fn finish(party: &Provider, callback: Callback, pending: Pending) -> Result<SignedIn, ProviderError> {
    party.finish(callback, pending, now(), Instant::now()).await
}

async fn signed_in(party: &Provider, browser: &mut Browser, name: &str) -> SignedIn {
    let (url, pending) = begin(party, StepUp::default()).await;
    let callback = browser.sign_in(&url, name).await;
    finish(party, callback, pending).await.unwrap()
}

fn rejected<T: std::fmt::Debug>(result: Result<T, ProviderError>) -> Rejected {
    match result {
        Err(ProviderError::Rejected(rejected)) => rejected,
        other => panic!("not rejected: {other:?}"),
    }
}

/// A logout token with claims as wanted; what is null is left out.
async fn logout_token(idp: &Idp, changed: serde_json::Value, header: serde_json::Value) -> String {
    let mut claims = json!({
        "iss": idp.issuer, "aud": "postern", "iat": now().as_secs(), "jti": format!("{}", now().as_micros()), "sub": "alice",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    for (name, value) in changed.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let answer = idp.order("/sign", json!({ "claims": claims, "header": header })).await;
    answer["token"].as_str().unwrap().to_owned()
}
