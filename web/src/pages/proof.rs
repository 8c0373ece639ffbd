//! From a proof of who somebody is to a sign-in of this browser.

use super::{FormGuard, PageFailure, SignedIn};
use crate::{WebState, cookies};
use axum::{
    http::{HeaderMap, header},
    response::Response,
};
use postern_identity::lifetimes;
use postern_ids::{SignInId, Timestamp, UserId};
use postern_store::{Actor, SecretHash, SignIn, User};
use postern_token::opaque::{Opaque, OpaqueKind};
use std::time::Duration;

/// What this sign-in calls its OAuth client in records: the browser itself.
pub(crate) const BROWSER: &str = "browser";

/// What is said of the means of a local account (RFC 8176).
const PASSWORD: &str = "pwd";

/// How a person proved who they are.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    /// Who vouches: `local`, or a provider's name.
    pub(crate) idp: String,
    /// When it was proven.
    pub(crate) at: Timestamp,
    /// When a second factor was checked.
    pub(crate) mfa_at: Option<Timestamp>,
    /// In whose words how (`acr`).
    pub(crate) acr: Option<String>,
    /// With which means (`amr`).
    pub(crate) amr: Vec<String>,
    /// How long the sign-in may last.
    pub(crate) lasts: Duration,
}

/// How far apart two proofs may be that are one: a person signs in in several tabs at once.
const TABS: Duration = Duration::from_secs(600);

impl Proof {
    /// The password of an account of this gateway.
    pub(crate) fn password(now: Timestamp) -> Self {
        Self {
            idp: User::LOCAL.to_owned(),
            at: now,
            mfa_at: None,
            acr: None,
            amr: vec![PASSWORD.to_owned()],
            lasts: lifetimes::BROWSER_SIGN_IN,
        }
    }

    /// Whether a sign-in of the same person rests on a proof like this one already, so that a new one would add nothing
    /// and cut what the first tab has opened.
    pub(crate) fn is_of(&self, sign_in: &SignIn) -> bool {
        let apart = self.at.since(sign_in.authenticated_at).max(sign_in.authenticated_at.since(self.at));
        let is_alike = sign_in.mfa_at.is_some() == self.mfa_at.is_some()
            && (&sign_in.acr, &sign_in.amr) == (&self.acr, &self.amr);
        sign_in.idp == self.idp && is_alike && apart <= TABS
    }
}

/// A new sign-in under a new cookie, which goes with the answer `onward`; whatever this browser was before ends (C1).
pub(crate) async fn come_in(
    state: &WebState,
    headers: &HeaderMap,
    user: UserId,
    proof: &Proof,
    mut onward: Response,
    now: Timestamp,
) -> Result<(Response, SignInId), PageFailure> {
    if let Some(before) = SignedIn::of(state, headers, now).await? {
        let actor = Actor::User { id: before.user.id, sign_in: Some(before.sign_in.id) };
        state.store().end_sign_in(before.sign_in.id, "replaced", &actor, now).await?;
    }
    let cookie = Opaque::from_entropy(OpaqueKind::Cookie, rand::random());
    let sign_in = SignIn {
        id: SignInId::mint(now, rand::random()),
        user,
        client_id: BROWSER.to_owned(),
        idp: proof.idp.clone(),
        authenticated_at: proof.at,
        mfa_at: proof.mfa_at,
        acr: proof.acr.clone(),
        amr: proof.amr.clone(),
        expires_at: now.plus(proof.lasts),
        ended_at: None,
        end_reason: None,
    };
    state.store().begin_browser_sign_in(&sign_in, SecretHash(cookie.hash()), now).await?;
    tracing::info!(sign_in.id = %sign_in.id, user.id = %user, idp = proof.idp, "signed in");
    let jar = onward.headers_mut();
    jar.append(header::SET_COOKIE, cookies::set(cookies::SIGN_IN, &cookie, proof.lasts));
    jar.append(header::SET_COOKIE, FormGuard::fresh().set_cookie());
    Ok((onward, sign_in.id))
}
