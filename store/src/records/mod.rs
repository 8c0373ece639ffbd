//! What was recorded: sessions, decisions, the audit and its hash chains.

mod audit;
mod decisions;
mod ended_sessions;
mod sessions;

pub use audit::{AuditEntry, AuditVerdict};
pub use decisions::DecisionEntry;
pub(crate) use ended_sessions::{ended_sessions, forget_ended_sessions};
pub use sessions::{SessionEntry, SessionFilter};
