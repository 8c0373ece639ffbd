//! How an access can be refused and how a session can end: one closed list each, spelled once for logs, metrics, audit
//! columns, wire codes and exit codes.

use serde::{Deserialize, Serialize};

macro_rules! closed_list {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $label:literal, code $code:literal, exit $exit:literal, $sentence:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word used in logs, metrics, audit columns and JSON.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// The code on the wire: a WebSocket close code, or the code of a refused or reset lane. Unique in its list.
            pub const fn code(self) -> u16 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The exit code of the user's command (sysexits).
            pub const fn exit_code(self) -> u8 {
                match self { $(Self::$variant => $exit,)* }
            }

            /// One sentence for a person, without a final full stop.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// The value with this wire code.
            pub fn from_code(code: u16) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.code() == code)
            }

            /// The value with this label.
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.label() == label)
            }
        }
    };
}

closed_list! {
    /// How a session ended. Each session ends exactly once, with one of these (D14).
    Ended {
        /// Both directions were closed in order.
        Finished = "finished", code 1000, exit 0, "the session finished";
        /// The gateway stopped and the session could not wait.
        GatewayStopped = "gateway_stopped", code 1012, exit 75, "the gateway is restarting";
        /// The client broke the protocol.
        ClientViolation = "client_violation", code 4440, exit 70, "the client broke the tunnel protocol";
        /// The connector broke the protocol.
        ConnectorViolation = "connector_violation", code 4441, exit 75, "the connector broke the tunnel protocol";
        /// The client's link died, or the client reset the stream.
        ClientLost = "client_lost", code 4442, exit 75, "the connection to the client was lost";
        /// The connector's link died.
        ConnectorLost = "connector_lost", code 4443, exit 75, "the connection to the connector was lost";
        /// The target reset the connection or became unreachable.
        TargetFailed = "target_failed", code 4444, exit 75, "the target broke the connection";
        /// A policy, grant, group, resource or connector changed and the session is no longer allowed.
        Revoked = "revoked", code 4412, exit 77, "access was revoked";
        /// The hard expiry of the session, its grant or its sign-in came.
        Expired = "expired", code 4445, exit 77, "access expired";
        /// The sign-in behind the session ended.
        SignedOut = "signed_out", code 4446, exit 77, "the sign-in ended";
        /// The user was disabled.
        UserDisabled = "user_disabled", code 4447, exit 77, "the user was disabled";
        /// An administrator ended this session.
        EndedByAdmin = "ended_by_admin", code 4448, exit 77, "an administrator ended the session";
        /// The person or program that it belongs to ended this session.
        EndedByPrincipal = "ended_by_principal", code 4451, exit 77, "whoever it belongs to ended the session";
        /// A policy that fails closed cut the session because the policy store was away for too long.
        PolicyStale = "policy_stale", code 4503, exit 75, "the policy store could not be reached for too long";
        /// A limit was reached.
        Limit = "limit", code 4429, exit 75, "a limit was reached";
        /// The stream could not go on: a resume came too late or with wrong offsets.
        ResumeFailed = "resume_failed", code 4410, exit 75, "the session could not be resumed";
        /// The session was admitted, but the target could not be reached.
        NotOpened = "not_opened", code 4449, exit 75, "the session was admitted, but its target could not be opened";
        /// Nobody saw the end; a sweeper recorded it.
        Lost = "lost", code 4450, exit 75, "the session was lost";
    }
}

closed_list! {
    /// Why an access was refused before a session existed.
    Refusal {
        /// The request is malformed.
        BadRequest = "bad_request", code 4400, exit 64, "the request was malformed";
        /// Nobody is signed in, or the sign-in is no longer good.
        Unauthenticated = "unauthenticated", code 4401, exit 77, "you are not signed in";
        /// Policy says no.
        Denied = "denied", code 4403, exit 77, "access is denied by policy";
        /// There is no such resource, or it may not be seen.
        NoSuchResource = "no_such_resource", code 4404, exit 69, "there is no such resource that you may reach";
        /// The handshake took too long.
        Timeout = "timeout", code 4408, exit 75, "the other side took too long to answer";
        /// A limit was reached.
        Limit = "limit", code 4429, exit 75, "a limit was reached";
        /// No connector of the site is online.
        NoConnector = "no_connector", code 4480, exit 75, "no connector of this site is online";
        /// The connector's own allow-list refuses the target.
        TargetNotAllowed = "target_not_allowed", code 4481, exit 77, "the connector's allow-list does not admit the target";
        /// The connector could not reach the target.
        TargetUnreachable = "target_unreachable", code 4482, exit 75, "the connector could not reach the target";
        /// The connector refused the gateway's grant.
        GrantRefused = "grant_refused", code 4483, exit 75, "the connector refused the gateway's grant";
        /// The decision could not be recorded durably, so nothing was opened.
        NotRecorded = "not_recorded", code 4484, exit 75, "the gateway could not record the decision";
        /// The gateway is stopping.
        Draining = "draining", code 4485, exit 75, "the gateway is restarting";
        /// Policy is older than allowed.
        PolicyStale = "policy_stale", code 4503, exit 75, "the policy store could not be reached for too long";
        /// The link went away before the answer came.
        LinkLost = "link_lost", code 4486, exit 75, "the link was lost before an answer came";
        /// Another gateway may be able to serve this.
        TryNext = "try_next", code 4487, exit 75, "this gateway cannot serve the request, another may";
        /// An attempt to resume that came later holds the stream. Not final: attach again with the next generation.
        Superseded = "superseded", code 4409, exit 75, "a newer connection took the session over";
        /// Nobody holds the stream any more, or it was never there.
        ResumeUnknown = "resume_unknown", code 4410, exit 75, "the session cannot be resumed: nobody holds it any more";
        /// The key, the proof or the principal is not the session's.
        ProofFailed = "proof_failed", code 4411, exit 77, "the proof for this session is wrong";
        /// The session was ended for good while it was detached, or the right to it was.
        Revoked = "revoked", code 4412, exit 77, "access was revoked";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_label_leads_back_to_its_value() {
        for &ended in Ended::ALL {
            assert_eq!(Ended::from_code(ended.code()), Some(ended));
            assert_eq!(Ended::from_label(ended.label()), Some(ended));
        }
        for &refusal in Refusal::ALL {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
            assert_eq!(Refusal::from_label(refusal.label()), Some(refusal));
        }
    }
}
