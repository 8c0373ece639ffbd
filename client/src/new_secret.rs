//! A secret that was made a moment ago and is shown once: in a new file of its owner's, or on standard output.

use crate::{
    failure::Failure,
    show::{self, Form},
};
use postern_api::Time;
use postern_ids::TokenId;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A token that was handed over.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) id: TokenId,
    pub(crate) expires_at: Time,
    /// Where the secret is, in words.
    pub(crate) place: String,
}

/// Makes a token and hands its secret over. `revoke` is what to do about one that could not be written.
pub(crate) async fn hand_over(
    make: impl Future<Output = Result<(TokenId, String, Time), Failure>>,
    revoke: impl FnOnce(TokenId) -> String,
    out: Option<&Path>,
    form: Form,
) -> Result<Shown, Failure> {
    // The file first: a token that cannot be kept should not exist.
    let file = out.map(|path| Ok::<_, Failure>((new_file(path)?, path))).transpose()?;
    let made = make.await;
    if let (Err(_), Some(path)) = (&made, out) {
        // Ours and empty: the next try needs the name.
        let _ = std::fs::remove_file(path);
    }
    let (id, secret, expires_at) = made?;
    let place = match file {
        Some((file, path)) => {
            write(file, &secret)
                .map_err(|e| Failure::unavailable(format!("{}: {e}", path.display())).then(revoke(id)))?;
            if form == Form::Json {
                show::json(&serde_json::json!({ "id": id, "file": path, "expires_at": expires_at }))?;
            }
            format!("in {}", path.display())
        }
        None if form == Form::Json => {
            show::json(&serde_json::json!({ "id": id, "token": secret, "expires_at": expires_at }))?;
            "shown this once".to_owned()
        }
        None => {
            show::text(&format!("{secret}\n"))?;
            "shown this once".to_owned()
        }
    };
    Ok(Shown { id, expires_at, place })
}

fn write(mut file: File, secret: &str) -> io::Result<()> {
    writeln!(file, "{secret}")?;
    file.sync_all()
}

/// A file that did not exist, for its owner only.
fn new_file(path: &Path) -> Result<File, Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.map_err(|e| {
        let exists = e.kind() == io::ErrorKind::AlreadyExists;
        let why = if exists { "it exists already and is not overwritten".to_owned() } else { e.to_string() };
        Failure::usage(format!("{}: {why}", path.display()))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn o13_a_secret_goes_to_a_new_0600_file_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let file = new_file(&path).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(new_file(&path).unwrap_err().code, 64);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
        assert!(new_file(&link).is_err(), "a planted link is not followed");
    }
}
