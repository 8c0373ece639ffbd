//! Asking a host for its keys: stock ssh makes a connection as far as the keys, without signing in.

use super::{config, host_keys::is_key};
use crate::{
    failure::{Failure, code, printable},
    home::Home,
    resource::ResourceRef,
};
use postern_private_file as private_file;
use tokio::process::Command;

/// One connection for each kind of key: a host shows only the kind that was asked for.
const KINDS: [&str; 3] = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"];

/// The keys that the host of a resource shows, as lines of `TYPE BASE64`. Each kind takes a session of the caller's own,
/// decided and recorded like any other.
pub async fn probe(home: &Home, resource: &ResourceRef) -> Result<Vec<String>, Failure> {
    let seen = home.dir().join(format!("probe-{}", std::process::id()));
    let asked = ask(home, resource, &seen).await;
    let keys = private_file::read(&seen);
    // Nobody needs the file any more, whatever came of it.
    let _ = std::fs::remove_file(&seen);
    let told = asked?;
    let text = String::from_utf8(keys?.unwrap_or_default()).unwrap_or_default();
    let keys: Vec<String> =
        text.lines().filter_map(|line| line.split_once(' ')).map(|(_, key)| key.to_owned()).collect();
    if keys.is_empty() {
        return Err(Failure::unavailable(format!("the host showed no key: {told}")));
    }
    Ok(keys.into_iter().filter(|key| is_key(key)).collect())
}

/// Lets ssh write what it sees into `seen`; gives the last words of the last connection.
async fn ask(home: &Home, resource: &ResourceRef, seen: &std::path::Path) -> Result<String, Failure> {
    private_file::write(seen, b"")?;
    let mut told = String::new();
    for kind in KINDS {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-T"]);
        let reaching = config::options(&config::own_path()?, config::named_home(home), resource)?;
        for (key, value) in reaching.into_iter().filter(|(key, _)| *key != "KnownHostsCommand") {
            ssh.arg("-o").arg(format!("{key}={value}"));
        }
        ssh.arg("-o").arg(format!("UserKnownHostsFile=\"{}\"", seen.display()));
        for option in [
            "GlobalKnownHostsFile=none",
            "StrictHostKeyChecking=accept-new",
            "HashKnownHosts=no",
            "UpdateHostKeys=no",
            "BatchMode=yes",
            "PreferredAuthentications=none",
            "ConnectTimeout=30",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.arg("-o").arg(format!("HostKeyAlgorithms={kind}"));
        let done = ssh.arg(resource.host()).arg("true").output().await.map_err(|error| {
            Failure::new(code::UNAVAILABLE, format!("ssh cannot be started: {error}"))
                .then("install the OpenSSH client")
        })?;
        let words = String::from_utf8_lossy(&done.stderr).into_owned();
        told =
            printable(words.lines().rev().find(|line| line.starts_with("postern:")).unwrap_or(words.trim()));
    }
    Ok(told)
}
