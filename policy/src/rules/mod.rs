//! Rules as Cedar: the schema, what a text must satisfy, what grants compile to, and the index that finds the few rules
//! a request needs.

mod check;
mod compile;
mod expression;
mod grant_text;
mod index;
mod labels;
mod names;
mod public;
mod rule;
pub(crate) mod schema;
mod walk;

pub use check::check_policy;
pub(crate) use compile::Compiled;
pub use grant_text::quoted;
pub(crate) use index::Leaf;
pub use names::exchange_entities;
pub(crate) use public::Public;
pub(crate) use rule::{Conditions, Rule, Scope};
pub use schema::{ADMIN_SCHEMA, SCHEMA};
