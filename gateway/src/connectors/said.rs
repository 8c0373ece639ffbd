//! What a connector may say about sessions. It speaks for itself and for its targets: never for policy, nor for a client
//! (T15).

use postern_ids::{Ended, Refusal};

/// The longest explanation of a connector that is passed on.
const DETAIL_MAX: usize = 200;

/// Why the target was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFailed {
    /// The one word for it.
    pub refusal: Refusal,
    /// What the connector said, harmless.
    pub detail: Option<String>,
}

impl From<Refusal> for OpenFailed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, detail: None }
    }
}

/// What a connector may refuse with; everything else is told as an unreachable target.
pub(super) fn refused_by_connector(code: u16, detail: &[u8]) -> OpenFailed {
    let refusal = match Refusal::from_code(code) {
        Some(
            said @ (Refusal::TargetNotAllowed
            | Refusal::TargetUnreachable
            | Refusal::GrantRefused
            | Refusal::Draining
            | Refusal::Timeout
            | Refusal::Limit),
        ) => said,
        _ => Refusal::TargetUnreachable,
    };
    OpenFailed { refusal, detail: harmless(detail) }
}

/// How a session ended that a connector says is over.
pub fn ended_by_connector(code: u16) -> Ended {
    match Ended::from_code(code) {
        Some(ended @ (Ended::Finished | Ended::Limit | Ended::TargetFailed | Ended::ResumeFailed)) => ended,
        _ => Ended::TargetFailed,
    }
}

/// A peer's text as one short line without control or direction characters.
fn harmless(detail: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(detail.get(..DETAIL_MAX).unwrap_or(detail))
        .chars()
        .filter(|c| !c.is_control() && (c.is_ascii() || c.is_alphanumeric()))
        .collect();
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t15_what_a_connector_says_is_short_and_harmless() {
        let hostile = format!("\u{1b}[31mno\r\n<b>\u{202e}{}", "x".repeat(10_000));
        let failed = refused_by_connector(Refusal::TargetUnreachable.code(), hostile.as_bytes());
        let text = failed.detail.unwrap_or_default();
        assert!(text.len() <= DETAIL_MAX && text.starts_with("[31mno<b>x"), "{text}");
        assert_eq!(refused_by_connector(1, b"\n").detail, None);
    }

    #[test]
    fn t15_a_connector_cannot_refuse_in_the_name_of_policy() {
        for refusal in [
            Refusal::Denied,
            Refusal::Unauthenticated,
            Refusal::PolicyStale,
            Refusal::NoSuchResource,
            Refusal::Revoked,
        ] {
            assert_eq!(refused_by_connector(refusal.code(), b"").refusal, Refusal::TargetUnreachable);
        }
        let not_allowed = refused_by_connector(Refusal::TargetNotAllowed.code(), b"add 10.0.0.5:22");
        assert_eq!(not_allowed.detail.as_deref(), Some("add 10.0.0.5:22"));
    }

    #[test]
    fn t15_a_connector_cannot_make_a_session_look_revoked() {
        for &ended in Ended::ALL {
            let told = ended_by_connector(ended.code());
            let own = [Ended::TargetFailed, Ended::Limit, Ended::Finished, Ended::ResumeFailed];
            assert!(own.contains(&told), "{told:?}");
        }
    }
}
