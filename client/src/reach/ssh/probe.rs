//! Asking a host for its keys: stock ssh makes a connection as far as the keys, without signing in.

use super::{config, host_keys::is_key};
use crate::{
    failure::{Failure, PREFIX, code, printable},
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
    let last_words = asked?;
    let text = String::from_utf8(keys?.unwrap_or_default()).unwrap_or_default();
    let keys: Vec<String> =
        text.lines().filter_map(|line| line.split_once(' ')).map(|(_, key)| key.to_owned()).collect();
    if keys.is_empty() {
        return Err(no_key(&last_words));
    }
    Ok(keys.into_iter().filter(|key| is_key(key)).collect())
}

/// What kept a host from showing its keys: what our own proxy said, or else ssh.
fn no_key(last_words: &str) -> Failure {
    let (ours, others) = (said_by_us(last_words), last_words.lines().last().unwrap_or_default());
    let failure =
        Failure::unavailable(format!("the host showed no key: {}", printable(ours.unwrap_or(others))));
    let next = last_words.lines().find_map(|line| line.strip_prefix("  next: "));
    match next {
        Some(next) if ours.is_some() => failure.then(printable(next)),
        Some(_) | None => failure,
    }
}

fn said_by_us(words: &str) -> Option<&str> {
    words.lines().rev().find_map(|line| line.strip_prefix(PREFIX))
}

/// Lets ssh write what it sees into `seen`; gives the last words of the last connection.
async fn ask(home: &Home, resource: &ResourceRef, seen: &std::path::Path) -> Result<String, Failure> {
    private_file::write(seen, b"")?;
    let mut words = String::new();
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
        words = String::from_utf8_lossy(&done.stderr).into_owned();
        // Nobody gets to a host that one kind of key did not get to.
        if said_by_us(&words).is_some() {
            break;
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kept_a_host_from_showing_keys_is_told_once_with_what_to_do() {
        let ours = Failure::new(code::DENIED, "no rule allows this").then("postern explain dec_1");
        let told =
            no_key(&format!("{ours}\nkex_exchange_identification: Connection closed by remote host\n"));
        let said = "postern: the host showed no key: no rule allows this\n  next: postern explain dec_1";
        assert_eq!(told.to_string(), said);
        let ssh = no_key("Warning: something\r\nUnable to negotiate: no matching host key type found.\r\n")
            .to_string();
        assert_eq!(
            ssh,
            "postern: the host showed no key: Unable to negotiate: no matching host key type found"
        );
    }
}
