//! The closed list of reasons for a no, and what each means to whoever hears it.

use postern_ids::{Ended, Refusal};
use serde::{Deserialize, Serialize};

/// Why a request was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenyReason {
    /// No rule permits it.
    NoRule,
    /// A rule would permit it, but its time is over.
    GrantExpired,
    /// A rule forbids it.
    Forbidden,
    /// A forbid could not be evaluated, so it counts as satisfied.
    RuleError,
    /// The request itself could not be evaluated.
    EvaluationFailed,
    /// There is no such resource.
    NoSuchResource,
    /// The resource does not speak the protocol of this action.
    WrongKind,
    /// The user or service account was disabled.
    PrincipalDisabled,
    /// The sign-in was ended, or the token revoked.
    CredentialEnded,
    /// The sign-in or token reached its expiry.
    CredentialExpired,
    /// There is no credential, or one that this kind of principal cannot have.
    CredentialMissing,
    /// The session reached the longest life that the settings allow.
    SessionTooOld,
    /// An administrator ended this session.
    EndedByAdmin,
    /// Whoever it belongs to ended this session.
    EndedByPrincipal,
    /// The snapshot is staler than the rules that would permit this allow.
    PolicyStale,
    /// The principal is being read again; asking once more answers.
    PrincipalChanged,
    /// The connector that carries the session was revoked or moved to another site.
    ConnectorRevoked,
}

impl DenyReason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::NoRule,
        Self::GrantExpired,
        Self::Forbidden,
        Self::RuleError,
        Self::EvaluationFailed,
        Self::NoSuchResource,
        Self::WrongKind,
        Self::PrincipalDisabled,
        Self::CredentialEnded,
        Self::CredentialExpired,
        Self::CredentialMissing,
        Self::SessionTooOld,
        Self::EndedByAdmin,
        Self::EndedByPrincipal,
        Self::PolicyStale,
        Self::PrincipalChanged,
        Self::ConnectorRevoked,
    ];

    /// The word used in logs, metrics, audit columns and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoRule => "no_rule",
            Self::GrantExpired => "grant_expired",
            Self::Forbidden => "forbidden",
            Self::RuleError => "rule_error",
            Self::EvaluationFailed => "evaluation_failed",
            Self::NoSuchResource => "no_such_resource",
            Self::WrongKind => "wrong_kind",
            Self::PrincipalDisabled => "principal_disabled",
            Self::CredentialEnded => "credential_ended",
            Self::CredentialExpired => "credential_expired",
            Self::CredentialMissing => "credential_missing",
            Self::SessionTooOld => "session_too_old",
            Self::EndedByAdmin => "ended_by_admin",
            Self::EndedByPrincipal => "ended_by_principal",
            Self::PolicyStale => "policy_stale",
            Self::PrincipalChanged => "principal_changed",
            Self::ConnectorRevoked => "connector_revoked",
        }
    }

    /// How the request is refused when there is no session yet.
    pub const fn as_refusal(self) -> Refusal {
        match self {
            Self::NoRule
            | Self::GrantExpired
            | Self::Forbidden
            | Self::RuleError
            | Self::EvaluationFailed
            | Self::PrincipalDisabled
            | Self::SessionTooOld => Refusal::Denied,
            Self::NoSuchResource => Refusal::NoSuchResource,
            Self::WrongKind => Refusal::BadRequest,
            Self::CredentialEnded | Self::CredentialExpired | Self::CredentialMissing => {
                Refusal::Unauthenticated
            }
            Self::EndedByAdmin | Self::EndedByPrincipal => Refusal::Revoked,
            Self::PolicyStale | Self::PrincipalChanged => Refusal::PolicyStale,
            Self::ConnectorRevoked => Refusal::NoConnector,
        }
    }

    /// How a live session ends for this reason.
    pub const fn as_ended(self) -> Ended {
        match self {
            Self::NoRule
            | Self::Forbidden
            | Self::RuleError
            | Self::EvaluationFailed
            | Self::NoSuchResource
            | Self::WrongKind
            | Self::PrincipalChanged
            | Self::ConnectorRevoked => Ended::Revoked,
            Self::GrantExpired | Self::CredentialExpired | Self::SessionTooOld => Ended::Expired,
            Self::PrincipalDisabled => Ended::UserDisabled,
            Self::EndedByAdmin => Ended::EndedByAdmin,
            Self::EndedByPrincipal => Ended::EndedByPrincipal,
            Self::CredentialEnded | Self::CredentialMissing => Ended::SignedOut,
            Self::PolicyStale => Ended::PolicyStale,
        }
    }

    /// One sentence for a person, without a final full stop. It names no rule, group or network.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NoRule => "no rule allows this",
            Self::GrantExpired => "your access to this has expired",
            Self::Forbidden => "a rule forbids this",
            Self::RuleError => "a rule that could forbid this cannot be evaluated",
            Self::EvaluationFailed => "the request could not be evaluated",
            Self::NoSuchResource => "there is no such resource that you may reach",
            Self::WrongKind => "the resource does not speak the protocol that was asked for",
            Self::PrincipalDisabled => "this account is disabled",
            Self::CredentialEnded => "your sign-in was ended",
            Self::CredentialExpired => "your sign-in has expired",
            Self::CredentialMissing => "you are not signed in",
            Self::SessionTooOld => "the session reached its longest allowed life",
            Self::EndedByAdmin => "an administrator ended this session",
            Self::EndedByPrincipal => "you ended this session",
            Self::PolicyStale => "the policy store could not be reached for too long",
            Self::PrincipalChanged => "your account has just changed, please try again",
            Self::ConnectorRevoked => "the connector that carried this was revoked",
        }
    }
}
