//! Web applications to protect, and whoever visits them.

mod certificate;
mod chromium;
mod endless;
mod git_server;
mod greeter;
mod grpc;
mod hostile;
mod nginx;
mod recipe;
mod registry;
mod scene;
mod server;
mod visitor;
mod websocket;

pub use certificate::Certificate;
pub use chromium::Chromium;
pub use endless::Endless;
pub use git_server::GitServer;
pub use greeter::Greeter;
pub use grpc::Grpc;
pub use hostile::{Heard, Hostile};
pub use nginx::Nginx;
pub use recipe::{Recipe, RecipeApp};
pub use registry::{Registry, npm};
pub use scene::{DOMAIN, Scene, options};
pub use server::AppServer;
pub use visitor::Visitor;
pub use websocket::{Message, WebSocket};

use std::path::{Path, PathBuf};

/// Where the programs for Node lie that stand for applications and browsers.
pub(crate) fn node_program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(name)
}
