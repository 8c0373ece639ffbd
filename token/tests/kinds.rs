//! Each kind of token survives its way, and only its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use forge::{
    ISSUER, NOW, connector, dial_claims as dial, grant_claims as grant, session_claims, ticket_claims,
};
use postern_ids::{ConnectorId, Timestamp, TokenId};
use postern_token::{
    ACCESS_AUDIENCE, Alg, CredentialClaims, Expect, KeySet, Rejected, SKEW, SessionClaims, SigningKey,
    TOKEN_MAX_BYTES, TokenClaims, claimed_connector, mint_access, mint_dial, mint_grant, mint_ticket,
    verify_dial, verify_grant, verify_held_grant, verify_lapsed_access, verify_ticket,
};
use std::time::Duration;

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
    assert_eq!(at(connector(3)), Ok(grant()));
    assert_eq!(at(connector(2)), Err(Rejected::AudInvalid));
}

#[test]
fn a_ticket_survives_its_way() {
    let key = SigningKey::generate(Alg::EdDsa).unwrap();
    let keys = KeySet::of(ISSUER, [key.verifying().clone()]);
    let expect = Expect { issuer: ISSUER, audience: ISSUER };
    let token = TokenClaims { id: TokenId::mint(NOW, [8; 10]), expires_at: None };
    let of_a_program = SessionClaims {
        credential: CredentialClaims::Token(token),
        source: "2001:db8::1".parse().unwrap(),
        expires_at: None,
        ..session_claims()
    };
    for ses in [session_claims(), of_a_program] {
        let claims = postern_token::TicketClaims { ses, ..ticket_claims() };
        let token = mint_ticket(&claims, &key).unwrap();
        assert_eq!(verify_ticket(&token, &keys, expect, NOW).unwrap().into_inner(), claims);
    }
}

#[test]
fn a_held_grant_is_read_long_after_it_could_open_anything() {
    let key = SigningKey::generate(Alg::EdDsa).unwrap();
    let keys = KeySet::of(ISSUER, [key.verifying().clone()]);
    let audience = connector(3).to_string();
    let expect = Expect { issuer: ISSUER, audience: &audience };
    let token = mint_grant(&grant(), &key).unwrap();
    let later = NOW.plus(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(verify_grant(&token, &keys, expect, later).err(), Some(Rejected::Expired));
    let held = verify_held_grant(&token, &keys, expect, later).unwrap().into_inner();
    assert_eq!(
        (held.connector, held.session, held.resource),
        (connector(3), grant().session, grant().resource)
    );
    assert_eq!(
        (Some(held.stream), Some(held.cnf), Some(held.ses)),
        (grant().stream, grant().cnf, grant().ses)
    );
    assert_eq!(held.principal, grant().principal);
}

#[test]
fn j08_a_lapsed_access_token_is_good_for_its_grace_and_no_longer() {
    let key = SigningKey::generate(Alg::Es256).unwrap();
    let keys = KeySet::of(ISSUER, [key.verifying().clone()]);
    let claims = forge::access_claims();
    let (token, grace) = (mint_access(&claims, &key).unwrap(), Duration::from_secs(300));
    let lapsed = |after, audience| {
        let expect = Expect { issuer: ISSUER, audience };
        verify_lapsed_access(&token, &keys, expect, grace, claims.exp.plus(after)).err()
    };
    assert_eq!(lapsed(SKEW + grace - Duration::from_secs(1), ACCESS_AUDIENCE), None);
    assert_eq!(lapsed(SKEW + grace, ACCESS_AUDIENCE), Some(Rejected::Expired));
    assert_eq!(lapsed(Duration::ZERO, "other"), Some(Rejected::AudInvalid));
}

#[test]
fn a_grant_of_a_session_that_cannot_be_resumed_is_as_short_as_before_and_cannot_be_held() {
    let key = SigningKey::generate(Alg::EdDsa).unwrap();
    let keys = KeySet::of(ISSUER, [key.verifying().clone()]);
    let audience = connector(3).to_string();
    let expect = Expect { issuer: ISSUER, audience: &audience };
    let plain = postern_token::GrantClaims { cnf: None, stream: None, ses: None, ..grant() };
    let json = serde_json::to_value(&plain).unwrap();
    assert!(
        ["cnf", "stream", "ses"].iter().all(|name| json.get(name).is_none()),
        "an older connector reads it"
    );
    let token = mint_grant(&plain, &key).unwrap();
    assert_eq!(verify_grant(&token, &keys, expect, NOW).unwrap().into_inner(), plain);
    assert_eq!(verify_held_grant(&token, &keys, expect, NOW).err(), Some(Rejected::ClaimFormat));
}

#[test]
fn the_facts_of_a_session_keep_their_microseconds() {
    let at = Timestamp::from_micros(NOW.as_micros() + 123_457);
    let mut ses = session_claims();
    ses.started_at = at;
    let CredentialClaims::SignIn(sign_in) = &mut ses.credential else { unreachable!() };
    (sign_in.at, sign_in.mfa_at, sign_in.expires_at) = (at, Some(at), at);
    let key = SigningKey::generate(Alg::EdDsa).unwrap();
    let keys = KeySet::of(ISSUER, [key.verifying().clone()]);
    let claims = postern_token::TicketClaims { ses: ses.clone(), ..ticket_claims() };
    let token = mint_ticket(&claims, &key).unwrap();
    let expect = Expect { issuer: ISSUER, audience: ISSUER };
    assert_eq!(verify_ticket(&token, &keys, expect, NOW).unwrap().into_inner().ses, ses);
}

#[test]
fn the_longest_tokens_of_a_resumable_session_fit_where_they_travel() {
    let key = SigningKey::generate(Alg::EdDsa).unwrap();
    let long = postern_token::GrantClaims {
        iss: format!("https://{}.example:65535", "g".repeat(200)),
        resource_name: "r".repeat(63),
        target_host: "t".repeat(253),
        ..grant()
    };
    let (short, long) = (mint_grant(&grant(), &key).unwrap(), mint_grant(&long, &key).unwrap());
    assert!(short.len() < 1_600, "what a connector keeps for each stream: {}", short.len());
    assert!(long.len() < 2_300 && long.len() < TOKEN_MAX_BYTES, "{}", long.len());
    let iss = format!("https://{}.example:65535", "g".repeat(200));
    let ticket = postern_token::TicketClaims { aud: iss.clone(), iss, ..ticket_claims() };
    let ticket = mint_ticket(&ticket, &key).unwrap();
    assert!(ticket.len() < 2_048, "{}", ticket.len());
}
