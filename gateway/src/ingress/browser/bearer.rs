//! Programs that show a token: a service account's, or a person's for this application. `Authorization` is ours only if
//! the token in it begins with `pst_`; any other is the application's own and passes as it came.

use crate::{
    ingress::{
        facts::Unavailable,
        tokens::{Tokens, is_honored},
    },
    policies::Policies,
};
use base64::{Engine, alphabet, engine};
use http::{HeaderMap, HeaderValue, header};
use postern_canonical::{CanonicalRequest, EncodedSlash};
use postern_ids::Timestamp;
use postern_policy::model::{Credential, PathReading, PrincipalId, Resource};
use postern_store::AppToken;
use postern_token::opaque::{Opaque, OpaqueKind, SHOWN_PREFIX};
use std::sync::Arc;

/// Some programs leave out the padding.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new().with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
);

/// Why a request that shows a token of ours gets nowhere. It is never forwarded: the application must not see the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// More than one credential, of which one is ours.
    Ambiguous,
    /// The token is malformed, unknown, revoked or expired, its owner is disabled, or it came in a form that this
    /// application does not take.
    NotGood,
    /// The token is good, but for another application or another part of this one.
    OutOfReach,
    /// The store would have to be asked, and is away.
    Unavailable,
}

impl From<Unavailable> for Refused {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl Refused {
    /// The word for logs and metrics.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Ambiguous => "authorization_ambiguous",
            Self::NotGood => "token_not_good",
            Self::OutOfReach => "token_out_of_reach",
            Self::Unavailable => "policy_stale",
        }
    }
}

/// Whoever shows a token of ours, proven. None where there is no such token: then `Authorization`, if there is one, is the
/// application's. Where there is somebody, the header must not reach the application.
pub(super) async fn credential(
    (tokens, policies): (&Tokens, &Policies),
    headers: &HeaderMap,
    resource: &Resource,
    request: &CanonicalRequest,
    now: Timestamp,
) -> Result<Option<(PrincipalId, Credential)>, Refused> {
    let Some(token) = shown(headers, resource)? else { return Ok(None) };
    let (principal, facts) = match token.kind() {
        OpaqueKind::ServiceAccount => {
            let (account, facts) = tokens.service_account(&token).await?.ok_or(Refused::NotGood)?;
            (PrincipalId::ServiceAccount(account), facts)
        }
        OpaqueKind::Application => {
            let token = tokens.application(&token).await?.ok_or(Refused::NotGood)?;
            let facts = Arc::new(token.facts());
            // An ended token says nothing about where it was good.
            if is_honored(PrincipalId::User(token.user), &facts, &policies.snapshot(), now) {
                reaches(&token, resource, request)?;
            }
            (PrincipalId::User(token.user), facts)
        }
        OpaqueKind::Refresh
        | OpaqueKind::Bootstrap
        | OpaqueKind::DeviceCode
        | OpaqueKind::AuthorizationCode
        | OpaqueKind::Enrolment
        | OpaqueKind::Cookie
        | OpaqueKind::Form => return Err(Refused::NotGood),
    };
    if !is_honored(principal, &facts, &policies.snapshot(), now) {
        return Err(Refused::NotGood);
    }
    Ok(Some((principal, Credential::Token(facts))))
}

/// The one token of ours in `Authorization`.
fn shown(headers: &HeaderMap, resource: &Resource) -> Result<Option<Opaque>, Refused> {
    let takes_basic = resource.web.as_ref().is_some_and(|web| web.basic_tokens);
    let mut values = headers.get_all(header::AUTHORIZATION).iter().map(Shown::read).peekable();
    let Some(first) = values.next() else { return Ok(None) };
    let is_ours = |shown: &Shown| !matches!(shown, Shown::Theirs);
    if values.peek().is_some() {
        // Two of theirs are for the application to judge.
        return if is_ours(&first) || values.any(|shown| is_ours(&shown)) {
            Err(Refused::Ambiguous)
        } else {
            Ok(None)
        };
    }
    match first {
        Shown::Theirs => Ok(None),
        Shown::Bearer(token) => token.ok_or(Refused::NotGood).map(Some),
        Shown::Password(token) if takes_basic => token.ok_or(Refused::NotGood).map(Some),
        // Half a token, or no token at all, in a password is the application's; a whole one is a secret of ours that
        // somebody misplaced.
        Shown::Password(None) => Ok(None),
        Shown::Password(Some(_)) | Shown::Misplaced => Err(Refused::NotGood),
    }
}

/// What a value of `Authorization` shows.
enum Shown {
    /// Nothing of ours.
    Theirs,
    /// Ours, if it is whole.
    Bearer(Option<Opaque>),
    /// Ours where the application takes such passwords.
    Password(Option<Opaque>),
    /// A whole token of ours as the user name.
    Misplaced,
}

impl Shown {
    fn read(value: &HeaderValue) -> Self {
        let Some((scheme, rest)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
            return Self::Theirs;
        };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") && rest.starts_with(SHOWN_PREFIX) {
            return Self::Bearer(Opaque::parse(rest));
        }
        if scheme.eq_ignore_ascii_case("basic") { Self::of_basic(rest) } else { Self::Theirs }
    }

    fn of_basic(encoded: &str) -> Self {
        let decoded = BASE64.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(pair) = decoded.map(zeroize::Zeroizing::new) else { return Self::Theirs };
        let (user, password) = pair.split_once(':').unwrap_or((&pair, ""));
        if password.starts_with(SHOWN_PREFIX) {
            return Self::Password(Opaque::parse(password));
        }
        let is_token = user.starts_with(SHOWN_PREFIX) && Opaque::parse(user).is_some();
        if is_token { Self::Misplaced } else { Self::Theirs }
    }
}

/// A token for a part of an application is good where the request's path has one reading, and lies in that part.
fn reaches(token: &AppToken, resource: &Resource, request: &CanonicalRequest) -> Result<(), Refused> {
    if token.resource != resource.id {
        return Err(Refused::OutOfReach);
    }
    if token.path.is_empty() {
        return Ok(());
    }
    let slash = match resource.web.as_ref().map(|web| web.paths).unwrap_or_default() {
        PathReading::StrictOpaqueSlash => EncodedSlash::Opaque,
        PathReading::Auto | PathReading::Strict => EncodedSlash::Refuse,
        PathReading::Verbatim => return Err(Refused::OutOfReach),
    };
    let path = request.path(slash).map_err(|_| Refused::OutOfReach)?;
    if path.is_below(&token.path) { Ok(()) } else { Err(Refused::OutOfReach) }
}

#[cfg(test)]
mod tests;
