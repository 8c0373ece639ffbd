//! Who asks: a person by the cookie of this host, a program by a token, or nobody.

use super::{BrowserIngress, bearer, hosts::App};
use crate::{ingress::client::NotAuthenticated, policies::PrincipalError};
use http::HeaderMap;
use postern_canonical::{CanonicalRequest, read_cookie};
use postern_ids::{SignInId, Timestamp};
use postern_policy::model::{Credential, Principal, PrincipalId};
use postern_web::{apps::TokenRefused, hand_over::APP_COOKIE};
use std::sync::Arc;

/// Whoever asks, proven.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) principal: Arc<Principal>,
    pub(super) credential: Credential,
    /// Whether the `Authorization` header was for us.
    pub(super) by_header: bool,
}

impl Asker {
    /// The sign-in of a person in a browser.
    pub(super) fn sign_in(&self) -> Option<SignInId> {
        match &self.credential {
            Credential::SignIn(facts) => Some(facts.id),
            Credential::Token(_) | Credential::None => None,
        }
    }

    /// The name to show; empty for nobody.
    pub(super) fn name(&self) -> &str {
        match self.principal.id {
            PrincipalId::Anonymous => "",
            PrincipalId::User(_) | PrincipalId::ServiceAccount(_) => &self.principal.name,
        }
    }
}

/// Why nobody is known to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// There is no cookie of a sign-in that lives.
    SignedOut,
    /// Our cookie came twice: one of them may have been planted (C3).
    CookieAmbiguous,
    /// A token of ours gets nowhere.
    Token(TokenRefused),
    /// The store would have to be asked, and is away.
    Unavailable,
}

impl From<bearer::Refused> for Unknown {
    fn from(refused: bearer::Refused) -> Self {
        match refused {
            bearer::Refused::Unavailable => Self::Unavailable,
            bearer::Refused::Ambiguous => Self::Token(TokenRefused::Ambiguous),
            bearer::Refused::NotGood => Self::Token(TokenRefused::NotGood),
            bearer::Refused::OutOfReach => Self::Token(TokenRefused::OutOfReach),
        }
    }
}

impl BrowserIngress {
    /// The person behind the cookie of this host.
    pub(super) async fn person(
        &self,
        headers: &HeaderMap,
        app: &App,
        now: Timestamp,
    ) -> Result<Asker, Unknown> {
        let cookie = read_cookie(headers, APP_COOKIE).map_err(|_| Unknown::CookieAmbiguous)?;
        let cookie = cookie.and_then(|text| std::str::from_utf8(text).ok()).ok_or(Unknown::SignedOut)?;
        let Some(known) = self.hand_over.open_cookie(&app.authority, cookie) else {
            metrics::counter!("postern_app_cookies_refused_total").increment(1);
            tracing::info!(host = %app.authority, "cookie_scope: a cookie that is not of this host was refused");
            return Err(Unknown::SignedOut);
        };
        let caller = self.authenticator.signed_in(known.user, known.sign_in, now).await;
        let caller = caller.map_err(|not| match not {
            NotAuthenticated::Stale => Unknown::Unavailable,
            NotAuthenticated::Missing
            | NotAuthenticated::Token(_)
            | NotAuthenticated::Unknown
            | NotAuthenticated::Ended => Unknown::SignedOut,
        })?;
        let credential = caller.for_new_sessions().ok_or(Unknown::SignedOut)?;
        let principal = self.principal(caller.principal).await?;
        Ok(Asker { principal, credential, by_header: false })
    }

    /// The program that shows a token of ours, if one does.
    pub(super) async fn program(
        &self,
        headers: &HeaderMap,
        app: &App,
        request: &CanonicalRequest,
        now: Timestamp,
    ) -> Result<Option<Asker>, Unknown> {
        let known = (self.authenticator.tokens(), &*self.policies);
        let shown = bearer::credential(known, headers, &app.resource, request, now).await;
        let shown = shown.inspect_err(|refused| {
            let reason = refused.label();
            metrics::counter!("postern_app_tokens_refused_total", "reason" => reason).increment(1);
            tracing::info!(resource = %app.resource.name, reason, "a token was refused");
        })?;
        let Some((principal, credential)) = shown else { return Ok(None) };
        let principal = self.principal(principal).await?;
        Ok(Some(Asker { principal, credential, by_header: true }))
    }

    /// Whoever is known to ask, person or program.
    pub(super) async fn known(
        &self,
        headers: &HeaderMap,
        app: &App,
        request: &CanonicalRequest,
        now: Timestamp,
    ) -> Result<Asker, Unknown> {
        match self.program(headers, app, request, now).await? {
            Some(program) => Ok(program),
            None => self.person(headers, app, now).await,
        }
    }

    /// Nobody, for public paths.
    pub(super) async fn nobody(&self) -> Result<Asker, Unknown> {
        let principal = self.principal(PrincipalId::Anonymous).await?;
        Ok(Asker { principal, credential: Credential::None, by_header: false })
    }

    pub(super) async fn principal(&self, id: PrincipalId) -> Result<Arc<Principal>, Unknown> {
        self.policies.principals.get(id).await.map_err(|error| match error {
            PrincipalError::Unknown => Unknown::SignedOut,
            PrincipalError::Unavailable => Unknown::Unavailable,
        })
    }
}
