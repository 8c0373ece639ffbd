//! Bearer tokens of service accounts, and the list of all tokens that are good for something.

use super::names;
use crate::{WebState, body::Json as Body, caller::Caller, problem::Failure};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use postern_api::{IssueTokenRequest, IssuedToken, List, ObjectRef, TokenKind, TokenView};
use postern_identity::lifetimes;
use postern_ids::{Timestamp, TokenId};
use postern_policy::{admin::AdminAction, model::Site};
use postern_store::{EnrolmentToken, Object, SecretHash, ServiceAccount, ServiceToken, Stored};
use postern_token::opaque::{Opaque, OpaqueKind};
use std::{collections::HashMap, time::Duration};

/// The longest note.
pub(super) const NOTE_MAX_CHARS: usize = 200;

pub(super) async fn issue(
    State(state): State<WebState>,
    caller: Caller,
    Path(account): Path<String>,
    Body(wanted): Body<IssueTokenRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), Failure> {
    caller.may(&state, AdminAction::IssueToken)?;
    let account = names::named::<ServiceAccount>(&state, &account).await?.value;
    let now = state.now();
    let lasts = lifetime(wanted.expires_in_secs, lifetimes::SERVICE_TOKEN, lifetimes::SERVICE_TOKEN_MAX)?;
    if wanted.note.chars().count() > NOTE_MAX_CHARS {
        return Err(Failure::invalid(format!("the note has more than {NOTE_MAX_CHARS} characters")));
    }
    let secret = Opaque::from_entropy(OpaqueKind::ServiceAccount, rand::random());
    let expires_at = now.plus(lasts);
    let token = ServiceToken {
        id: TokenId::mint(now, rand::random()),
        account: account.id,
        note: wanted.note,
        created_at: now,
        expires_at: Some(expires_at),
        revoked_at: None,
    };
    let mut change = state.store().change(caller.actor(), now).await?;
    change.put_service_token(&token, SecretHash(secret.hash())).await?;
    change.commit().await?;
    let issued =
        IssuedToken { id: token.id, token: secret.reveal().to_owned(), expires_at: expires_at.into() };
    Ok((StatusCode::CREATED, Json(issued)))
}

/// How long a token is to last: what was asked for, within the limit.
pub(super) fn lifetime(
    asked_secs: Option<u64>,
    default: Duration,
    longest: Duration,
) -> Result<Duration, Failure> {
    match asked_secs.map(Duration::from_secs) {
        None => Ok(default),
        Some(asked) if asked.is_zero() || asked > longest => {
            Err(Failure::invalid(format!("expires_in_secs must be from 1 to {}", longest.as_secs())))
        }
        Some(asked) => Ok(asked),
    }
}

pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<List<TokenView>>, Failure> {
    caller.may(&state, AdminAction::View)?;
    let now = state.now();
    let accounts = by_id(state.store().all::<ServiceAccount>().await?);
    let sites = by_id(state.store().all::<Site>().await?);
    let service = state.store().service_tokens(None).await?;
    let service =
        service.iter().filter(|token| token.is_live(now)).map(|token| service_view(token, &accounts));
    let enrolment = state.store().enrolment_tokens(now).await?;
    let enrolment = enrolment.iter().map(|token| enrolment_view(token, &sites));
    Ok(Json(List { items: service.chain(enrolment).collect() }))
}

fn by_id<T: Object>(objects: Vec<Stored<T>>) -> HashMap<String, String> {
    objects
        .into_iter()
        .map(|object| (object.value.id().to_string(), object.value.name().to_string()))
        .collect()
}

fn owner(id: String, names: &HashMap<String, String>) -> ObjectRef {
    ObjectRef { name: names.get(&id).cloned().unwrap_or_default(), id }
}

fn service_view(token: &ServiceToken, accounts: &HashMap<String, String>) -> TokenView {
    TokenView {
        id: token.id,
        kind: TokenKind::ServiceAccount,
        owner: owner(token.account.to_string(), accounts),
        note: token.note.clone(),
        created_at: token.created_at.into(),
        expires_at: token.expires_at.unwrap_or(Timestamp::MAX).into(),
        uses_left: None,
    }
}

fn enrolment_view(token: &EnrolmentToken, sites: &HashMap<String, String>) -> TokenView {
    TokenView {
        id: token.id,
        kind: TokenKind::Enrolment,
        owner: owner(token.site.to_string(), sites),
        note: String::new(),
        created_at: token.created_at.into(),
        expires_at: token.expires_at.into(),
        uses_left: Some(token.uses_left),
    }
}

pub(super) async fn revoke(
    State(state): State<WebState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.may(&state, AdminAction::IssueToken)?;
    let id: TokenId = id.parse().map_err(|_| Failure::not_found("token"))?;
    let is_service = state.store().service_token_by_id(id).await?.is_some();
    let mut change = state.store().change(caller.actor(), state.now()).await?;
    if is_service {
        change.revoke_service_token(id).await?;
    } else {
        change.delete_enrolment_token(id).await?;
    }
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
