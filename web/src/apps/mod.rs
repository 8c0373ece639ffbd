//! What the gateway itself says on an application's host: pages for people, problem documents for programs.
//!
//! An application's host is not ours: nothing is loaded from it, so each page carries its own style sheet.

mod page;

pub use page::{AppPage, page, problem};
