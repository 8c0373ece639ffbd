//! The facts of a resumable session, between the words of policy and the claims of tokens.

use postern_ids::{ConnectorId, ResourceId, SessionId, StreamId, Timestamp};
use postern_policy::{
    Action, Permit,
    model::{Credential, PrincipalId, SignIn, TokenFacts},
};
use postern_token::{
    ActionClaim, CredentialClaims, HeldGrantClaims, SessionClaims, SignInClaims, TicketClaims, TokenClaims,
};
use std::{net::IpAddr, sync::Arc};

/// A resumable session as its grant or its ticket states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The session.
    pub session: SessionId,
    /// Its byte stream.
    pub stream: StreamId,
    /// The key that its client holds.
    pub key: [u8; 32],
    /// What it reaches.
    pub resource: ResourceId,
    /// The connector that holds the stream.
    pub connector: ConnectorId,
    /// What was decided on.
    pub facts: Facts,
}

/// What the last decision about a session was made on, beside the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whose session it is.
    pub principal: PrincipalId,
    /// What proved it.
    pub credential: Credential,
    /// What it does.
    pub action: Action,
    /// From where.
    pub source: IpAddr,
    /// When it began.
    pub started_at: Timestamp,
    /// When it must end; [`Timestamp::MAX`] is never.
    pub expires_at: Timestamp,
    /// The client's attempt that it was decided for.
    pub generation: u32,
}

impl Stated {
    pub(super) fn of_ticket(claims: TicketClaims) -> Option<Self> {
        Some(Self {
            session: claims.session,
            stream: claims.stream,
            key: claims.cnf,
            resource: claims.resource,
            connector: claims.connector,
            facts: Facts::read(&claims.principal, claims.ses)?,
        })
    }

    pub(super) fn of_grant(claims: HeldGrantClaims) -> Option<Self> {
        Some(Self {
            session: claims.session,
            stream: claims.stream,
            key: claims.cnf,
            resource: claims.resource,
            connector: claims.connector,
            facts: Facts::read(&claims.principal, claims.ses)?,
        })
    }
}

impl Facts {
    fn read(principal: &str, claims: SessionClaims) -> Option<Self> {
        Some(Self {
            principal: principal_of(principal)?,
            credential: credential_of(claims.credential),
            action: match claims.action {
                ActionClaim::Connect => Action::Connect,
            },
            source: claims.source,
            started_at: claims.started_at,
            expires_at: claims.expires_at.unwrap_or(Timestamp::MAX),
            generation: claims.generation,
        })
    }
}

/// The claims of a permit; none for what cannot be resumed.
pub(super) fn claims_of(permit: &Permit, generation: u32) -> Option<SessionClaims> {
    Some(SessionClaims {
        credential: match permit.credential() {
            Credential::SignIn(sign_in) => CredentialClaims::SignIn(SignInClaims {
                id: sign_in.id,
                at: sign_in.at,
                mfa_at: sign_in.mfa_at,
                acr: sign_in.acr.as_deref().map(str::to_owned),
                amr: sign_in.amr.iter().map(ToString::to_string).collect(),
                expires_at: sign_in.expires_at,
                idp: sign_in.idp.to_string(),
            }),
            Credential::Token(token) => {
                CredentialClaims::Token(TokenClaims { id: token.id, expires_at: token.expires_at })
            }
            Credential::None => return None,
        },
        action: match permit.action() {
            Action::Connect => ActionClaim::Connect,
            Action::Http(_) => return None,
        },
        source: permit.source(),
        started_at: permit.started_at(),
        expires_at: Some(permit.expires_at()).filter(|at| *at < Timestamp::MAX),
        generation,
    })
}

fn principal_of(text: &str) -> Option<PrincipalId> {
    let user = text.parse().map(PrincipalId::User);
    user.or_else(|_| text.parse().map(PrincipalId::ServiceAccount)).ok()
}

fn credential_of(claims: CredentialClaims) -> Credential {
    match claims {
        CredentialClaims::SignIn(claims) => Credential::SignIn(Arc::new(SignIn {
            id: claims.id,
            at: claims.at,
            mfa_at: claims.mfa_at,
            acr: claims.acr.map(Into::into),
            amr: claims.amr.into_iter().map(Into::into).collect(),
            expires_at: claims.expires_at,
            idp: claims.idp.into(),
        })),
        CredentialClaims::Token(claims) => {
            Credential::Token(Arc::new(TokenFacts { id: claims.id, expires_at: claims.expires_at }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_ids::{ServiceAccountId, UserId};

    #[test]
    fn a_principal_survives_its_text_and_nobody_else_is_read_from_it() {
        let user = PrincipalId::User(UserId::mint(Timestamp::EPOCH, [1; 10]));
        let account = PrincipalId::ServiceAccount(ServiceAccountId::mint(Timestamp::EPOCH, [2; 10]));
        for principal in [user, account] {
            assert_eq!(principal_of(&principal.to_string()), Some(principal));
        }
        for nobody in ["anonymous", "", "usr_", "ses_00000000000000000000000000"] {
            assert_eq!(principal_of(nobody), None, "{nobody}");
        }
    }
}
