//! The user's command `postern`: sign in, reach resources, administer.
//!
//! Standard output carries results (and, for `proxy`, nothing but the resource's bytes); whatever is for people goes to
//! standard error. Every failure is one sentence, what to do next, and an exit code.
#![forbid(unsafe_code)]

pub mod account;
pub mod admin;
pub mod app_url;
pub mod apps;
pub mod bearer;
pub mod cli;
pub mod clock;
mod dispatch;
pub mod failure;
pub mod gateway;
pub mod home;
mod new_secret;
mod patience;
pub mod reach;
pub mod renewal;
pub mod resource;
pub mod show;
pub mod sign_in;

pub use dispatch::run;
