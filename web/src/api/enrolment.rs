//! Enrolment: owners issue tokens, connectors spend them.

use super::{names, tokens};
use crate::{WebState, body::Json as Body, caller::Caller, client_addr::Client, problem::Failure};
use axum::{Json, extract::State, http::StatusCode};
use postern_api::{EnrolmentTokenReply, EnrolmentTokenRequest, ProblemCode};
use postern_identity::{connector_ask, lifetimes};
use postern_ids::TokenId;
use postern_policy::{admin::AdminAction, model::Site};
use postern_store::{ChangeError, ConnectorKey, EnrolError, EnrolmentToken, SecretHash};
use postern_token::{
    EnrollReply, EnrollRequest,
    opaque::{Opaque, OpaqueKind},
};

/// The most connectors that one token may enroll.
const USES_MAX: u32 = 10_000;

pub(super) async fn issue(
    State(state): State<WebState>,
    caller: Caller,
    Body(wanted): Body<EnrolmentTokenRequest>,
) -> Result<(StatusCode, Json<EnrolmentTokenReply>), Failure> {
    caller.may(&state, AdminAction::IssueToken)?;
    let site = names::named::<Site>(&state, &wanted.site).await?.value;
    let now = state.now();
    let uses = wanted.uses.unwrap_or(1);
    if !(1..=USES_MAX).contains(&uses) {
        return Err(Failure::invalid(format!("uses must be from 1 to {USES_MAX}")));
    }
    let longest = lifetimes::ENROLMENT_TOKEN_MAX;
    let lasts = tokens::lifetime(wanted.expires_in_secs, lifetimes::ENROLMENT_TOKEN, longest)?;
    let secret = Opaque::from_entropy(OpaqueKind::Enrolment, rand::random());
    let token = EnrolmentToken {
        id: TokenId::mint(now, rand::random()),
        site: site.id,
        uses_left: uses,
        ephemeral: wanted.ephemeral,
        created_at: now,
        expires_at: now.plus(lasts),
    };
    let mut change = state.store().change(caller.actor(), now).await?;
    change.put_enrolment_token(&token, SecretHash(secret.hash())).await?;
    change.commit().await?;
    let text = postern_token::EnrolmentToken {
        url: state.issuer().to_owned(),
        ca_sha256: state.config().ca_sha256,
        secret,
    };
    let reply = EnrolmentTokenReply {
        id: token.id,
        token: text.to_string(),
        expires_at: token.expires_at.into(),
        uses,
    };
    Ok((StatusCode::CREATED, Json(reply)))
}

pub(super) async fn enroll(
    State(state): State<WebState>,
    Client(address): Client,
    request: Result<Body<EnrollRequest>, Failure>,
) -> Result<Json<EnrollReply>, Failure> {
    let now = state.now();
    state.limits().enroll.admit(address, now).map_err(|after| {
        tracing::info!(client.address = %address, "limit.hit: too many enrolments");
        let next = "wait a minute, then try again";
        Failure::new(ProblemCode::RateLimited, "too many enrolments from this address", next)
            .retry_after(after)
    })?;
    let Body(request) = request?;
    let ask =
        connector_ask(&request, rand::random(), now).map_err(|why| Failure::invalid(why.to_string()))?;
    let key = ConnectorKey { id: ask.id, name: ask.name, public_key: ask.public_key };
    let connector = state.store().enroll(SecretHash(ask.secret_hash), &key, now).await;
    let connector = connector.map_err(|why| not_enrolled(why, address))?.value;
    let site = state.store().find::<Site>(&connector.site).await?.ok_or_else(Failure::internal)?;
    tracing::info!(connector.id = %connector.id, "a connector was enrolled");
    Ok(Json(EnrollReply {
        connector: connector.id,
        name: connector.name,
        site: site.value.name,
        issuer: state.issuer().to_owned(),
        gateways: state.config().gateways.clone(),
        grant_keys: state.config().keys.keys().grant_public().map(|key| key.to_jwk()).collect(),
    }))
}

fn not_enrolled(why: EnrolError, address: std::net::IpAddr) -> Failure {
    match why {
        EnrolError::Used => {
            tracing::warn!(client.address = %address, reason = "replayed", "connector.rejected: a used enrolment token");
            Failure::new(
                ProblemCode::Replayed,
                "the enrolment token was used before: another connector was registered with it",
                "ask an owner for a new one, and if that connector is not yours, have it revoked",
            )
        }
        EnrolError::Token => {
            tracing::info!(client.address = %address, reason = "token", "connector.rejected: an enrolment token is not good");
            Failure::new(
                ProblemCode::TokenSpent,
                "the enrolment token is unknown, revoked or expired",
                "ask an owner for a new one",
            )
        }
        EnrolError::Change(ChangeError::Taken { .. }) => {
            tracing::info!(client.address = %address, reason = "name_taken", "connector.rejected: another one has this name");
            Failure::new(
                ProblemCode::Conflict,
                "another connector has this name or key; the enrolment token was not used",
                "choose another name",
            )
        }
        EnrolError::Change(why) => why.into(),
    }
}
