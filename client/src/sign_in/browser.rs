//! The sign-in in a browser on this machine: authorization code with PKCE and a loopback redirect (RFC 8252, RFC 7636).

use super::{Granted, loopback::Loopback, post_token};
use crate::{failure::Failure, home::Profile};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use postern_api::oauth::{CLIENT_ID, GRANT_AUTHORIZATION_CODE};
use std::time::Duration;
use url::Url;

/// How long the person may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// 256 random bits, as text for a URL.
fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

fn authorize_url(profile: &Profile, redirect: &str, state: &str, challenge: &str) -> Url {
    let mut url = profile.url("/oauth/authorize");
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", CLIENT_ID)
        .append_pair("redirect_uri", redirect)
        .append_pair("state", state)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", "S256");
    url
}

/// Opens the browser and waits for it to come back.
pub async fn sign_in(profile: &Profile) -> Result<Granted, Failure> {
    let (state, verifier) = (random_text(), random_text());
    let loopback = Loopback::bind(state.clone(), profile.issuer().to_owned()).await?;
    let redirect = loopback.redirect_uri();
    let url = authorize_url(profile, &redirect, &state, &challenge_of(&verifier));
    eprintln!(
        "Sign in with your browser. If it does not open by itself, visit:\n  {url}\n\
         Where there is no browser, stop this and use: postern login --headless"
    );
    // A browser that cannot be started is no failure: the address is on the screen.
    let _ = open::that_detached(url.as_str());
    let answer = tokio::time::timeout(PATIENCE, loopback.answer()).await;
    let code = answer.map_err(|_| {
        Failure::signed_out("nobody signed in within 5 minutes")
            .then("postern login, or postern login --headless")
    })??;
    let form = [
        ("grant_type", GRANT_AUTHORIZATION_CODE),
        ("client_id", CLIENT_ID),
        ("code", code.as_str()),
        ("redirect_uri", redirect.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    Ok(post_token(profile, &form).await?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn o13_the_challenge_is_the_one_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge_of(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(random_text().len(), 43);
        assert_ne!(random_text(), random_text());
    }

    #[test]
    fn o13_the_verifier_is_not_in_the_address_that_the_browser_sees() {
        let profile = Profile::new("https://gw.example", None, None).unwrap();
        let url = authorize_url(&profile, "http://127.0.0.1:1/callback", "st", &challenge_of("verifier"));
        assert!(!url.as_str().contains("verifier"));
        assert!(url.as_str().contains("code_challenge_method=S256"));
    }
}
