//! Access tokens that are not what they seem, shown to the API: one 401 for all of them, and the reason for nobody but us.

use crate::gate::{Gate, ISSUER, OWNER};
use axum::http::{StatusCode, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A good token, taken apart.
struct Good {
    header: Value,
    claims: Value,
    text: String,
}

impl Good {
    async fn of(gate: &Gate) -> Self {
        gate.owner().await;
        let tokens = gate.login(OWNER.0, OWNER.1).await;
        let text = tokens["access_token"].as_str().unwrap().to_owned();
        let part = |number: usize| {
            let bytes = URL_SAFE_NO_PAD.decode(text.split('.').nth(number).unwrap()).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        Self { header: part(0), claims: part(1), text }
    }

    /// Signed with the gateway's own key, with these members changed.
    fn with(&self, gate: &Gate, in_header: Value, in_claims: Value) -> String {
        let changed = |mut value: Value, changes: Value| {
            for (name, new) in changes.as_object().unwrap() {
                value[name] = new.clone();
            }
            URL_SAFE_NO_PAD.encode(value.to_string())
        };
        let signed = format!(
            "{}.{}",
            changed(self.header.clone(), in_header),
            changed(self.claims.clone(), in_claims)
        );
        let keys = gate.keys.keys();
        let signature = keys.access_signer(gate.now()).unwrap().sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[tokio::test]
async fn j01_to_j11_a_token_that_is_wrong_in_any_way_is_401_and_the_answer_does_not_say_why() {
    let gate = Gate::open().await;
    let good = Good::of(&gate).await;
    let now = gate.now().as_secs();
    let with = |in_header, in_claims| good.with(&gate, in_header, in_claims);
    assert_eq!(gate.get("/me", &with(json!({}), json!({}))).await.status, StatusCode::OK, "the forge works");
    let (signed, signature) = good.text.rsplit_once('.').unwrap();
    let refused = [
        ("j01", with(json!({"alg": "none"}), json!({}))),
        ("j01", format!("{signed}.")),
        ("j02", with(json!({"alg": "HS256"}), json!({}))),
        ("j03", with(json!({"kid": "../../dev/null"}), json!({}))),
        ("j04", with(json!({"jku": format!("{ISSUER}/jwks")}), json!({}))),
        ("j05", format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64]))),
        ("j05", format!("{signed}.{}", &signature[..84])),
        ("j06", with(json!({}), json!({"aud": ["postern"]}))),
        ("j06", with(json!({}), json!({"aud": null}))),
        ("j07", with(json!({}), json!({"iss": format!("{ISSUER}/")}))),
        ("j08", with(json!({}), json!({"exp": now - 30}))),
        ("j08", with(json!({}), json!({"nbf": now + 31}))),
        ("j08", with(json!({}), json!({"iat": now + 31}))),
        ("j08", with(json!({}), json!({"exp": 1e300}))),
        ("j09", with(json!({"typ": "JWT"}), json!({}))),
        ("j10", with(json!({"crit": ["exp"]}), json!({}))),
        ("j11", format!("{signed}{}.{signature}", "A".repeat(8_192))),
        ("j11", ".".repeat(8_000)),
        ("another person in it", with(json!({}), json!({"sub": "usr_00000000000000000000000000"}))),
        ("a sign-in that is none", with(json!({}), json!({"sid": "sin_00000000000000000000000000"}))),
    ];
    let plain = gate.get("/me", "nothing of ours").await;
    for (row, token) in refused {
        let answer = gate.get("/me", &token).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::UNAUTHORIZED, "unauthenticated"),
            "{row}"
        );
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer", "{row}");
        let without_id = |mut problem: Value| {
            problem.as_object_mut().unwrap().remove("id");
            problem
        };
        assert_eq!(without_id(answer.json()), without_id(plain.json()), "{row} is told apart");
    }
    assert_eq!(gate.get("/me", &good.text).await.status, StatusCode::OK);
}

#[tokio::test]
async fn j05_a_sign_in_that_ended_is_over_for_every_token_of_it_however_it_is_signed() {
    let gate = Gate::open().await;
    let good = Good::of(&gate).await;
    let another = good.with(&gate, json!({}), json!({"jti": "another"}));
    assert_ne!(another, good.text);
    for token in [&good.text, &another] {
        assert_eq!(gate.get("/me", token).await.status, StatusCode::OK);
    }
    let fields = [("client_id", "postern-cli"), ("token", good.text.as_str())];
    assert_eq!(gate.oauth("/oauth/revoke", &fields).await.status, StatusCode::OK);
    let unheard_of = good.with(&gate, json!({}), json!({"jti": "made after the end"}));
    for token in [&good.text, &another, &unheard_of] {
        assert_eq!(gate.get("/me", token).await.status, StatusCode::UNAUTHORIZED);
    }
}
