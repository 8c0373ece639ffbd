//! What was recorded: sessions, decisions, the audit and its hash chains.

mod audit;
mod decisions;
mod sessions;

pub use audit::{AuditEntry, AuditVerdict};
pub use decisions::DecisionEntry;
pub use sessions::{SessionEntry, SessionFilter};
