//! A disk that is soon full.

use anyhow::Result;
use postern_tests::tools;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file system of a few MiB; unmounted at the end.
pub(crate) struct SmallDisk {
    pub(crate) path: PathBuf,
}

impl SmallDisk {
    pub(crate) fn mount(path: &Path, mebibytes: u32) -> Result<Option<Self>> {
        if !tools::am_root() {
            return Ok(None);
        }
        let size = format!("size={mebibytes}m");
        let status =
            tools::command("mount")?.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).status()?;
        Ok(status.success().then(|| Self { path: path.to_path_buf() }))
    }

    pub(crate) fn fill(&self) -> Result<()> {
        let mut ballast = std::fs::File::create(self.path.join("ballast"))?;
        let piece = vec![0_u8; 4096];
        while ballast.write_all(&piece).is_ok() {}
        Ok(())
    }

    pub(crate) fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.path.join("ballast"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Ok(mut umount) = tools::command("umount") {
            let _ = umount.arg("-l").arg(&self.path).status();
        }
    }
}
