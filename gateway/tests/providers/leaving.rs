//! Signed out: here and at the provider, by whichever side begins it.

use crate::{
    arrived, come,
    gate::{Answer, Browser},
    path, world,
};
use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use url::Url;

const TO: &str = "/oidc/test/backchannel-logout";

#[tokio::test]
async fn o10_signing_out_leads_on_to_the_provider_which_names_its_session_and_back() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let first = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    // As an application's host does it: it ends the sign-in and leads to the last page.
    let by = postern_store::Actor::User { id: first.user, sign_in: Some(first.sign_in) };
    gate.store.end_sign_in(first.sign_in, "signed_out", &by, gate.now()).await.unwrap();
    let page = here.navigate("/signed-out").await;
    assert_eq!(page.status, StatusCode::OK);
    let from = "http-equiv=\"refresh\" content=\"0;url=";
    let url = page.body.split(from).nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let url: Url = url.parse().unwrap();
    let said =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert!(url.as_str().starts_with(&idp.issuer), "{url}");
    assert_eq!(said("post_logout_redirect_uri").as_deref(), Some("https://gw.example/signed-out"));
    assert_eq!(said("client_id").as_deref(), Some("postern"));
    assert_eq!(said("id_token_hint").unwrap().split('.').count(), 3);
    let back = there.sign_out(&url).await;
    assert_eq!(back.as_str(), "https://gw.example/signed-out");
    assert!(!here.jar.contains_key("__Host-postern"));
    let last = here.navigate("/signed-out").await;
    assert!(!last.body.contains("http-equiv=\"refresh\""), "the last page leads nowhere again");
    // There, too, nobody is signed in any more.
    let answer = here.navigate(&path(&gate, "/", None)).await;
    assert!(there.asks(&answer.location().parse().unwrap()).await, "the provider still knows the person");
}

#[tokio::test]
async fn o11_the_back_channel_takes_what_the_provider_signed_once_and_says_no_to_all_else_in_one_way() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let alice = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    let is_live = async || gate.store.sign_in(alice.sign_in).await.unwrap().unwrap().is_live(gate.now());
    let (issuer, at) = (idp.issuer.clone(), gate.now().as_secs());
    let sign = async |sid: &str, jti: &str| {
        let claims = json!({
            "iss": issuer, "aud": "postern", "iat": at, "jti": jti, "sid": sid,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        let answer = idp.order("/sign", json!({ "claims": claims, "header": {} })).await;
        answer["token"].as_str().unwrap().to_owned()
    };
    let refused = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        assert_eq!(answer.body, "{\"error\":\"invalid_request\"}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    };
    let unknown = sign("a session that never was", "1").await;
    for token in ["", "a.b.c", &unknown] {
        refused(&gate.oauth(TO, &[("logout_token", token)]).await);
    }
    refused(&gate.oauth(TO, &[("other", "x")]).await);
    let good = sign("x", "2").await;
    refused(&gate.oauth("/oidc/other/backchannel-logout", &[("logout_token", &good)]).await);
    refused(&Browser::new(&gate).get(&format!("{TO}?logout_token={good}")).await);
    assert!(is_live().await);
    idp.order("/faults", json!({ "keepLogoutTokens": true })).await;
    let told = idp.order("/logout", json!({ "person": "alice" })).await;
    let real = told["tokens"][0].as_str().unwrap();
    let answer = gate.oauth(TO, &[("logout_token", real)]).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(!is_live().await);
    refused(&gate.oauth(TO, &[("logout_token", real)]).await);
    // Told again about what has ended: that is how it should be.
    let payload = URL_SAFE_NO_PAD.decode(real.split('.').nth(1).unwrap()).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let again = sign(payload["sid"].as_str().unwrap(), "3").await;
    assert_eq!(gate.oauth(TO, &[("logout_token", &again)]).await.status, StatusCode::OK);
}
