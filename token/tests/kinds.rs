//! Each kind of token survives its way, and only its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use postern_ids::{ConnectorId, InstanceId, ResourceId, SessionId, StreamId, Timestamp};
use postern_token::{
    Alg, DialClaims, Expect, GrantClaims, KeySet, Rejected, SigningKey, TicketClaims, claimed_connector,
    mint_dial, mint_grant, mint_ticket, verify_dial, verify_grant, verify_ticket,
};
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const ISSUER: &str = "https://gw.example";

fn connector(n: u8) -> ConnectorId {
    ConnectorId::mint(NOW, [n; 10])
}

fn dial(connector: ConnectorId) -> DialClaims {
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

#[test]
fn a_dial_proves_the_connector_whose_key_signed_it() {
    let key = SigningKey::generate(Alg::EdDsa).unwrap();
    let token = mint_dial(&dial(connector(1)), &key).unwrap();
    assert_eq!(claimed_connector(&token), Ok(connector(1)));
    let verified = verify_dial(&token, connector(1), key.verifying(), ISSUER, NOW).unwrap();
    assert_eq!(verified.into_inner(), dial(connector(1)));
}

#[test]
fn a_dial_in_another_connectors_name_is_refused() {
    let (mine, theirs) =
        (SigningKey::generate(Alg::EdDsa).unwrap(), SigningKey::generate(Alg::EdDsa).unwrap());
    let token = mint_dial(&dial(connector(2)), &mine).unwrap();
    let refused = |id, key: &SigningKey, aud| verify_dial(&token, id, key.verifying(), aud, NOW).err();
    assert_eq!(refused(connector(2), &theirs, ISSUER), Some(Rejected::KidUnknown));
    assert_eq!(refused(connector(1), &mine, ISSUER), Some(Rejected::IssInvalid));
    assert_eq!(refused(connector(2), &mine, "https://other.example"), Some(Rejected::AudInvalid));
}

fn grant() -> GrantClaims {
    GrantClaims {
        iss: ISSUER.to_owned(),
        aud: connector(1),
        session: SessionId::mint(NOW, [4; 10]),
        resource: ResourceId::mint(NOW, [5; 10]),
        resource_name: "db".to_owned(),
        target_host: "::1".to_owned(),
        target_port: 22,
        principal: "alice".to_owned(),
        cnf: Some([9; 32]),
        iat: NOW,
        nbf: NOW,
        exp: NOW.plus(Duration::from_secs(60)),
        jti: "1".to_owned(),
    }
}

#[test]
fn a_grant_is_good_at_its_own_connector_only() {
    let key = SigningKey::generate(Alg::EdDsa).unwrap();
    let keys = KeySet::of(ISSUER, [key.verifying().clone()]);
    let token = mint_grant(&grant(), &key).unwrap();
    let at = |id: ConnectorId| {
        let audience = id.to_string();
        verify_grant(&token, &keys, Expect { issuer: ISSUER, audience: &audience }, NOW)
            .map(|g| g.into_inner())
    };
    assert_eq!(at(connector(1)), Ok(grant()));
    assert_eq!(at(connector(2)), Err(Rejected::AudInvalid));
}

#[test]
fn a_ticket_survives_its_way() {
    let key = SigningKey::generate(Alg::EdDsa).unwrap();
    let keys = KeySet::of(ISSUER, [key.verifying().clone()]);
    let claims = TicketClaims {
        iss: ISSUER.to_owned(),
        aud: ISSUER.to_owned(),
        session: SessionId::mint(NOW, [4; 10]),
        stream: StreamId::mint(NOW, [6; 10]),
        principal: "alice".to_owned(),
        sign_in: None,
        resource: ResourceId::mint(NOW, [5; 10]),
        connector: connector(1),
        instance: InstanceId::mint(NOW, [2; 10]),
        cnf: [9; 32],
        iat: NOW,
        nbf: NOW,
        exp: NOW.plus(Duration::from_secs(3600)),
        jti: "1".to_owned(),
    };
    let token = mint_ticket(&claims, &key).unwrap();
    let expect = Expect { issuer: ISSUER, audience: ISSUER };
    assert_eq!(verify_ticket(&token, &keys, expect, NOW).unwrap().into_inner(), claims);
    assert_eq!(verify_grant(&token, &keys, expect, NOW).err(), Some(Rejected::TypInvalid));
}
