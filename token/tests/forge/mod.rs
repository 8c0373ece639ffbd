//! Makes tokens of any header and payload, rightly signed unless asked otherwise.
#![allow(dead_code, reason = "shared by two tests, neither of which needs all of it")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use postern_ids::{ConnectorId, InstanceId, ResourceId, SessionId, SignInId, StreamId, Timestamp, UserId};
use postern_token::{
    ACCESS_AUDIENCE, AccessClaims, ActionClaim, Alg, CredentialClaims, DialClaims, Expect, GrantClaims,
    KeySet, Rejected, SessionClaims, SignInClaims, SigningKey, TicketClaims, verify_access, verify_grant,
    verify_held_grant, verify_ticket,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const ISSUER: &str = "https://gw.example";

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// What a public key is made of: the point, or the 32 bytes of Ed25519.
pub(crate) fn public_bytes(jwk: &Value) -> Vec<u8> {
    let member = |name: &str| jwk[name].as_str().map(decode);
    match (member("x"), member("y")) {
        (Some(x), Some(y)) => [vec![4], x, y].concat(),
        (x, _) => x.unwrap(),
    }
}

/// A public key as X.509 has it (RFC 5480, RFC 8410).
pub(crate) fn spki(jwk: &Value) -> Vec<u8> {
    let prefix: &[u8] = match jwk["crv"].as_str() {
        Some("P-256") => &[
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
            0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ],
        _ => &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00],
    };
    [prefix, &public_bytes(jwk)].concat()
}

pub(crate) fn pem(spki: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(spki);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

pub(crate) fn access_claims() -> AccessClaims {
    AccessClaims {
        iss: ISSUER.to_owned(),
        aud: ACCESS_AUDIENCE.to_owned(),
        sub: UserId::mint(NOW, [1; 10]),
        sid: SignInId::mint(NOW, [2; 10]),
        client_id: "postern-cli".to_owned(),
        auth_time: NOW.minus(Duration::from_secs(900)),
        iat: NOW.minus(Duration::from_secs(900)),
        nbf: NOW.minus(Duration::from_secs(900)),
        exp: NOW.plus(Duration::from_secs(900)),
        jti: "1".to_owned(),
    }
}

pub(crate) fn connector(n: u8) -> ConnectorId {
    ConnectorId::mint(NOW, [n; 10])
}

pub(crate) fn dial_claims(connector: ConnectorId) -> DialClaims {
    DialClaims {
        connector,
        aud: ISSUER.to_owned(),
        nonce: "n".to_owned(),
        instance: InstanceId::mint(NOW, [2; 10]),
        slot: 1,
        iat: NOW,
        exp: NOW.plus(Duration::from_secs(30)),
        jti: "1".to_owned(),
    }
}

pub(crate) fn session_claims() -> SessionClaims {
    let sign_in = SignInClaims {
        id: SignInId::mint(NOW, [2; 10]),
        at: NOW.minus(Duration::from_secs(900)),
        mfa_at: Some(NOW.minus(Duration::from_secs(900))),
        acr: Some("urn:mace:incommon:iap:silver".to_owned()),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        expires_at: NOW.plus(Duration::from_secs(42_000)),
        idp: "local".to_owned(),
    };
    SessionClaims {
        credential: CredentialClaims::SignIn(sign_in),
        action: ActionClaim::Connect,
        source: [203, 0, 113, 7].into(),
        started_at: NOW.minus(Duration::from_secs(60)),
        expires_at: Some(NOW.plus(Duration::from_secs(42_000))),
        generation: 3,
    }
}

pub(crate) fn grant_claims() -> GrantClaims {
    GrantClaims {
        iss: ISSUER.to_owned(),
        aud: connector(3),
        session: SessionId::mint(NOW, [4; 10]),
        resource: ResourceId::mint(NOW, [5; 10]),
        resource_name: "db".to_owned(),
        target_host: "10.0.0.5".to_owned(),
        target_port: 5432,
        principal: UserId::mint(NOW, [1; 10]).to_string(),
        cnf: Some([7; 32]),
        stream: Some(StreamId::mint(NOW, [6; 10])),
        ses: Some(session_claims()),
        iat: NOW,
        nbf: NOW,
        exp: NOW.plus(Duration::from_secs(60)),
        jti: "1".to_owned(),
    }
}

pub(crate) fn ticket_claims() -> TicketClaims {
    TicketClaims {
        iss: ISSUER.to_owned(),
        aud: ISSUER.to_owned(),
        session: SessionId::mint(NOW, [4; 10]),
        stream: StreamId::mint(NOW, [6; 10]),
        principal: UserId::mint(NOW, [1; 10]).to_string(),
        ses: session_claims(),
        resource: ResourceId::mint(NOW, [5; 10]),
        connector: connector(3),
        instance: InstanceId::mint(NOW, [2; 10]),
        cnf: [7; 32],
        iat: NOW,
        nbf: NOW,
        exp: NOW.plus(Duration::from_secs(42_000)),
        jti: "1".to_owned(),
    }
}

/// A key, a header and claims that verify as they are.
pub(crate) struct Forge {
    pub(crate) key: SigningKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Forge {
    /// Of an access token.
    pub(crate) fn new() -> Self {
        Self::of(Alg::Es256, "at+jwt", &serde_json::to_value(access_claims()).unwrap())
    }

    /// Of a grant.
    pub(crate) fn grant() -> Self {
        Self::of(Alg::EdDsa, "postern-grant+jwt", &serde_json::to_value(grant_claims()).unwrap())
    }

    /// Of a ticket.
    pub(crate) fn ticket() -> Self {
        Self::of(Alg::EdDsa, "postern-ticket+jwt", &serde_json::to_value(ticket_claims()).unwrap())
    }

    /// Of a connector's dial.
    pub(crate) fn dial() -> Self {
        Self::of(Alg::EdDsa, "postern-dial+jwt", &serde_json::to_value(dial_claims(connector(1))).unwrap())
    }

    /// Of an access token that calls itself something else.
    pub(crate) fn of_typ(typ: &str) -> Self {
        Self::of(Alg::Es256, typ, &serde_json::to_value(access_claims()).unwrap())
    }

    fn of(alg: Alg, typ: &str, claims: &Value) -> Self {
        let key = SigningKey::generate(alg).unwrap();
        let header = json!({"alg": alg.name(), "typ": typ, "kid": key.kid()});
        Self { key, header: header.as_object().unwrap().clone(), claims: claims.as_object().unwrap().clone() }
    }

    pub(crate) fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn header(&self) -> String {
        Value::Object(self.header.clone()).to_string()
    }

    pub(crate) fn payload(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }

    pub(crate) fn token(&self) -> String {
        self.signed(&self.header(), &self.payload())
    }

    pub(crate) fn signed(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        format!("{signed}.{}", encode(&self.key.sign(signed.as_bytes()).unwrap()))
    }

    pub(crate) fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header.insert(name.to_owned(), value);
        self.signed(&Value::Object(header).to_string(), &self.payload())
    }

    pub(crate) fn without_header(&self, name: &str) -> String {
        let mut header = self.header.clone();
        header.remove(name);
        self.signed(&Value::Object(header).to_string(), &self.payload())
    }

    pub(crate) fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims.insert(name.to_owned(), value);
        self.signed(&self.header(), &Value::Object(claims).to_string())
    }

    pub(crate) fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.remove(name);
        self.signed(&self.header(), &Value::Object(claims).to_string())
    }

    /// A token of another algorithm's name, "signed" with a MAC over `secret`.
    pub(crate) fn mac(&self, alg: &str, secret: &[u8]) -> String {
        let mut header = self.header.clone();
        header.insert("alg".to_owned(), json!(alg));
        let header = Value::Object(header).to_string();
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(self.payload().as_bytes()));
        let hash = match alg {
            "HS384" => aws_lc_rs::hmac::HMAC_SHA384,
            "HS512" => aws_lc_rs::hmac::HMAC_SHA512,
            _ => aws_lc_rs::hmac::HMAC_SHA256,
        };
        let key = aws_lc_rs::hmac::Key::new(hash, secret);
        format!("{signed}.{}", encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes()).as_ref()))
    }

    /// The verdict of the door that takes this kind.
    pub(crate) fn verdict(&self, token: &str) -> Result<(), Rejected> {
        match self.key.alg() {
            Alg::Es256 => self.access(token),
            Alg::EdDsa => self.grant_verdict(token),
        }
    }

    pub(crate) fn access(&self, token: &str) -> Result<(), Rejected> {
        let keys = KeySet::of(ISSUER, [self.key.verifying().clone()]);
        verify_access(token, &keys, Expect { issuer: ISSUER, audience: ACCESS_AUDIENCE }, NOW).map(drop)
    }

    pub(crate) fn grant_verdict(&self, token: &str) -> Result<(), Rejected> {
        let keys = KeySet::of(ISSUER, [self.key.verifying().clone()]);
        let audience = connector(3).to_string();
        verify_grant(token, &keys, Expect { issuer: ISSUER, audience: &audience }, NOW).map(drop)
    }

    pub(crate) fn held_verdict(&self, token: &str) -> Result<(), Rejected> {
        let keys = KeySet::of(ISSUER, [self.key.verifying().clone()]);
        let audience = connector(3).to_string();
        verify_held_grant(token, &keys, Expect { issuer: ISSUER, audience: &audience }, NOW).map(drop)
    }

    pub(crate) fn ticket_verdict(&self, token: &str) -> Result<(), Rejected> {
        let keys = KeySet::of(ISSUER, [self.key.verifying().clone()]);
        verify_ticket(token, &keys, Expect { issuer: ISSUER, audience: ISSUER }, NOW).map(drop)
    }
}
