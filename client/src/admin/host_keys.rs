//! `postern host-keys`: what hosts show as their keys, and which of them somebody vouches for.

use crate::{
    cli::HostKeysCommand,
    failure::{Failure, code},
    gateway::{Api, segment},
    home::Home,
    reach::ssh::probe,
    resource::ResourceRef,
    show::{self, Form},
};
use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};
use postern_api::{HostKeyView, HostKeysRequest, List, MyResource};

/// Does what the subcommand says.
pub(super) async fn run(
    api: &Api<'_>,
    home: &Home,
    command: &HostKeysCommand,
    form: Form,
) -> Result<(), Failure> {
    match command {
        HostKeysCommand::Ls { resource } => print(form, &known(api, resource.as_str()).await?),
        HostKeysCommand::Probe { resource } => {
            expect_reachable(api, resource).await?;
            let keys = probe(home, resource).await?;
            let path = path(resource.as_str(), "/learn")?;
            let learned: List<HostKeyView> = api.post_json(&path, &HostKeysRequest { keys }).await?;
            print(form, &learned.items)?;
            if learned.items.iter().any(|key| !key.confirmed) {
                eprintln!(
                    "compare with `ssh-keygen -lf FILE` on the host, then: postern host-keys confirm {resource} SHA256:…"
                );
            }
            Ok(())
        }
        HostKeysCommand::Confirm { resource, fingerprints } => {
            let known = known(api, resource.as_str()).await?;
            let keys = fingerprints
                .iter()
                .map(|wanted| with_fingerprint(&known, wanted))
                .collect::<Result<_, Failure>>()
                .map_err(|failure| failure.missing(format!("postern host-keys probe {resource}")))?;
            let path = path(resource.as_str(), "/confirm")?;
            let confirmed: List<HostKeyView> = api.post_json(&path, &HostKeysRequest { keys }).await?;
            print(form, &confirmed.items)
        }
    }
}

fn path(resource: &str, act: &str) -> Result<String, Failure> {
    Ok(format!("resources/{}/host-keys{act}", segment(resource)?))
}

/// A probe is a session of the caller's own: whoever may not have one is told before ssh says less about it.
async fn expect_reachable(api: &Api<'_>, resource: &ResourceRef) -> Result<(), Failure> {
    let mine = api.get::<List<MyResource>>("me/resources").await?.items;
    if mine.iter().any(|mine| resource.names(mine)) {
        return Ok(());
    }
    let sentence = format!("a probe of {resource} is a session of yours, and you may not open one there");
    Err(Failure::new(code::DENIED, sentence).then(format!("postern explain --resource {resource}")))
}

async fn known(api: &Api<'_>, resource: &str) -> Result<Vec<HostKeyView>, Failure> {
    let known = api.get::<List<HostKeyView>>(&path(resource, "")?).await;
    Ok(known.map_err(|failure: Failure| failure.missing("postern get resources"))?.items)
}

fn with_fingerprint(known: &[HostKeyView], wanted: &str) -> Result<String, Failure> {
    let found = known.iter().find(|key| fingerprint(&key.key).is_some_and(|shown| shown == wanted));
    found.map(|key| key.key.clone()).ok_or_else(|| {
        Failure::new(code::NOT_FOUND, format!("no key with the fingerprint {wanted:?} was seen there"))
    })
}

fn print(form: Form, keys: &[HostKeyView]) -> Result<(), Failure> {
    show::list(form, keys, &["type", "fingerprint", "confirmed"], |key| {
        let kind = key.key.split(' ').next().unwrap_or_default();
        vec![kind.to_owned(), fingerprint(&key.key).unwrap_or_default(), show::yes(key.confirmed)]
    })
}

/// As OpenSSH writes it: the hash of the key's blob in base64 without padding.
fn fingerprint(key: &str) -> Option<String> {
    let blob = BASE64_STANDARD.decode(key.split(' ').nth(1)?).ok()?;
    let hash = digest::digest(&digest::SHA256, &blob);
    Some(format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(hash)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_one_that_openssh_shows() {
        // GitHub publishes this key and its fingerprint.
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
        let shown = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
        assert_eq!(fingerprint(key).as_deref(), Some(shown));
        assert_eq!(fingerprint("ssh-ed25519"), None);
        let known = [HostKeyView { key: key.to_owned(), confirmed: false }];
        assert_eq!(with_fingerprint(&known, shown).ok().as_deref(), Some(key));
        assert_eq!(with_fingerprint(&known, "SHA256:other").map_err(|failure| failure.code), Err(69));
    }
}
