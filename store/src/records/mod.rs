//! What was recorded: sessions, decisions, the audit and its hash chains.

mod audit;
mod decisions;
mod denied_acts;
mod ended_sessions;
mod sessions;

pub use audit::{AuditEntry, AuditVerdict};
pub use decisions::DecisionEntry;
pub use denied_acts::{DeniedAct, SuppressedActs};
pub(crate) use ended_sessions::{ended_sessions, forget_ended_sessions};
pub use sessions::{SessionEntry, SessionFilter};
