//! An administrator vouches for the host keys of an SSH resource.

use super::names;
use crate::{WebState, body::Json as Body, caller::Caller, problem::Failure};
use axum::{
    Json,
    extract::{Path, State},
};
use postern_api::{HostKeyView, HostKeysRequest, List};
use postern_policy::{
    admin::AdminAction,
    model::{HostKey, HostKeyState, Resource, ResourceKind},
};
use postern_store::Expect;

/// Keys of one host: one of each type, and some on their way out.
const KEYS_MAX: usize = 16;

/// The longest key line: RSA with 16,384 bits.
const KEY_MAX_BYTES: usize = 4096;

pub(super) async fn confirm(
    State(state): State<WebState>,
    caller: Caller,
    Path(resource): Path<String>,
    Body(wanted): Body<HostKeysRequest>,
) -> Result<Json<List<HostKeyView>>, Failure> {
    caller.may(&state, AdminAction::ConfirmHostKey)?;
    let stored = names::named::<Resource>(&state, &resource).await?;
    if stored.value.kind != ResourceKind::Ssh {
        return Err(Failure::invalid("only resources of type ssh have host keys"));
    }
    if wanted.keys.len() > KEYS_MAX {
        return Err(Failure::invalid(format!("a resource has at most {KEYS_MAX} host keys")));
    }
    if let Some(bad) = wanted.keys.iter().find(|key| !is_key(key)) {
        let shown: String = bad.chars().take(40).collect();
        return Err(Failure::invalid(format!("{shown:?} is not a host key like `ssh-ed25519 AAAA…`")));
    }
    let keys = wanted.keys.into_iter().map(|key| HostKey { key, state: HostKeyState::Confirmed }).collect();
    let resource = Resource { host_keys: keys, ..stored.value };
    let mut change = state.store().change(caller.actor(), state.now()).await?;
    change.put(&resource, Expect::At(stored.version)).await?;
    change.commit().await?;
    let items =
        resource.host_keys.into_iter().map(|key| HostKeyView { key: key.key, confirmed: true }).collect();
    Ok(Json(List { items }))
}

/// `type base64`, with nothing that a known-hosts file would read as more.
fn is_key(text: &str) -> bool {
    let Some((kind, key)) = text.split_once(' ') else { return false };
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '@');
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    text.len() <= KEY_MAX_BYTES
        && (kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-"))
        && kind.chars().all(word)
        && !key.is_empty()
        && key.chars().all(base64)
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn a_host_key_is_one_type_and_one_blob() {
        assert!(is_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB"));
        assert!(is_key("ecdsa-sha2-nistp256 AAAA="));
        for bad in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 ",
            "ssh-ed25519 AA BB",
            "ssh-ed25519 AA\n* ssh-rsa BB",
            "@cert-authority * ssh-rsa AA",
        ] {
            assert!(!is_key(bad), "{bad:?}");
        }
    }
}
