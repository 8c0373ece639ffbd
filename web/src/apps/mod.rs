//! What the gateway itself says on an application's host: pages for people, problem documents for programs.
//!
//! An application's host is not ours: nothing is loaded from it, so each page carries its own style sheet. The words are
//! chosen once, for both forms.

mod credentials;
mod page;
mod problem;
mod said;
mod words;

pub use credentials::TokenRefused;
pub use page::page;
pub use problem::problem;
pub use words::AppPage;
