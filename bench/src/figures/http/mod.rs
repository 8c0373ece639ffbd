//! A web application through the gateway, beside nginx as a TLS reverse proxy in front of the same application.

pub(super) mod bulk;
pub(super) mod latency;
pub(super) mod rate;
pub(super) mod sockets;

use crate::{scene::Scene, stack::Stack, web};
use anyhow::Result;
use std::path::Path;
use tempfile::TempDir;

/// What stands behind every figure here.
struct Ground<'a> {
    scene: &'a Scene,
    web: &'a web::Scene,
    scratch: TempDir,
}

impl<'a> Ground<'a> {
    /// Nothing where the tunnel is measured alone.
    fn of(ours: &'a Stack) -> Result<Option<Self>> {
        let Some((scene, web)) = ours.scene.as_ref().and_then(|scene| Some((scene, scene.web.as_ref()?)))
        else {
            return Ok(None);
        };
        Ok(Some(Self { scene, web, scratch: tempfile::tempdir()? }))
    }

    /// For the files that the load generators want.
    fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// The arguments by which our own load generators find the application and trust the gateway.
    fn destination(&self) -> [String; 6] {
        let app = self.web.app();
        let ca = self.scene.gateway.authority().display().to_string();
        let pairs = [
            ("--address", app.address.to_string()),
            ("--authority", app.authority.clone()),
            ("--ca-file", ca),
        ];
        let mut all = pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        std::array::from_fn(|_| all.next().unwrap_or_default())
    }
}
