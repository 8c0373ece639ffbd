//! From a proven person to tokens: the sign-in of a command, its access tokens and its refresh tokens.

use crate::WebState;
use postern_api::oauth::{CLIENT_ID, TokenReply};
use postern_identity::lifetimes;
use postern_ids::{SignInId, Timestamp, UserId};
use postern_store::{ChangeError, RefreshToken, SecretHash, SignIn, StoreError, User};
use postern_token::{
    ACCESS_AUDIENCE, AccessClaims, KeyError, mint_access,
    opaque::{Opaque, OpaqueKind},
};
use secrecy::SecretString;

/// Why no tokens were issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    /// The person is gone, disabled, or the proof is too old.
    #[error("the person may not sign in")]
    Refused,
    /// The store did not do its part.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no key to sign with, or it failed.
    #[error("the access token cannot be signed")]
    Key(#[source] Option<KeyError>),
}

/// Who proved themselves, when, and which sign-in that makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proven {
    pub(crate) user: UserId,
    pub(crate) sign_in: SignInId,
    pub(crate) authenticated_at: Timestamp,
}

/// Begins the sign-in of a command that its person let in, and issues its first tokens.
pub(crate) async fn begin_command(
    state: &WebState,
    proven: Proven,
    now: Timestamp,
) -> Result<TokenReply, IssueError> {
    let sign_in = command(proven);
    if !sign_in.is_live(now) || !may_sign_in(state, proven.user).await? {
        return Err(IssueError::Refused);
    }
    state.store().begin_let_in_sign_in(&sign_in, now).await?;
    first_tokens(state, &sign_in, now).await
}

/// Begins the sign-in of the command that made the first owner.
pub(crate) async fn begin_first(
    state: &WebState,
    proven: Proven,
    now: Timestamp,
) -> Result<TokenReply, IssueError> {
    let sign_in = command(proven);
    state.store().begin_sign_in(&sign_in, now).await?;
    first_tokens(state, &sign_in, now).await
}

fn command(proven: Proven) -> SignIn {
    sign_in(proven, CLIENT_ID, proven.authenticated_at.plus(lifetimes::COMMAND_SIGN_IN))
}

async fn first_tokens(state: &WebState, sign_in: &SignIn, now: Timestamp) -> Result<TokenReply, IssueError> {
    let refresh = Opaque::from_entropy(OpaqueKind::Refresh, rand::random());
    let stored = stored_refresh(&refresh, sign_in.expires_at);
    state.store().issue_refresh_token(sign_in.id, &stored, now).await?;
    reply(state, sign_in, refresh.reveal(), now)
}

/// Whether the person exists and is enabled.
pub(crate) async fn may_sign_in(state: &WebState, user: UserId) -> Result<bool, StoreError> {
    Ok(state.store().find::<User>(&user).await?.is_some_and(|user| !user.value.disabled))
}

pub(crate) fn sign_in(proven: Proven, client_id: &str, expires_at: Timestamp) -> SignIn {
    SignIn {
        id: proven.sign_in,
        user: proven.user,
        client_id: client_id.to_owned(),
        idp: User::LOCAL.to_owned(),
        authenticated_at: proven.authenticated_at,
        mfa_at: None,
        acr: None,
        amr: Vec::new(),
        expires_at,
        ended_at: None,
        end_reason: None,
    }
}

pub(crate) fn stored_refresh(token: &Opaque, expires_at: Timestamp) -> RefreshToken {
    RefreshToken {
        text: SecretString::from(token.reveal().to_owned()),
        hash: SecretHash(token.hash()),
        expires_at,
    }
}

/// The answer of the token endpoint for a sign-in and a refresh token.
pub(crate) fn reply(
    state: &WebState,
    sign_in: &SignIn,
    refresh: &str,
    now: Timestamp,
) -> Result<TokenReply, IssueError> {
    let expires_at = now.plus(lifetimes::ACCESS_TOKEN).min(sign_in.expires_at);
    let claims = AccessClaims {
        iss: state.issuer().to_owned(),
        aud: ACCESS_AUDIENCE.to_owned(),
        sub: sign_in.user,
        sid: sign_in.id,
        client_id: sign_in.client_id.clone(),
        auth_time: sign_in.authenticated_at,
        iat: now,
        nbf: now,
        exp: expires_at,
        jti: format!("{:032x}", rand::random::<u128>()),
    };
    let keys = state.config().keys.keys();
    let key = keys.access_signer(now).ok_or(IssueError::Key(None))?;
    let access_token = mint_access(&claims, key).map_err(|source| IssueError::Key(Some(source)))?;
    Ok(TokenReply {
        access_token,
        token_type: "Bearer".to_owned(),
        expires_in: expires_at.since(now).as_secs(),
        refresh_token: refresh.to_owned(),
        gateways: state.config().gateways.clone(),
    })
}
