//! The host keys of SSH resources: somebody's probe brings them, and an administrator vouches for them.

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
use postern_store::{Expect, Stored};

/// Keys of one host: one of each type, and some on their way out.
const KEYS_MAX: usize = 16;

/// The longest key line: RSA with 16,384 bits.
const KEY_MAX_BYTES: usize = 4096;

pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Path(resource): Path<String>,
) -> Result<Json<List<HostKeyView>>, Failure> {
    caller.may(&state, AdminAction::View)?;
    Ok(Json(shown(&ssh_resource(&state, &resource).await?.value)))
}

/// Adds keys that a probe saw. They count only when somebody confirms them; what is confirmed stays.
pub(super) async fn learn(
    State(state): State<WebState>,
    caller: Caller,
    Path(resource): Path<String>,
    Body(seen): Body<HostKeysRequest>,
) -> Result<Json<List<HostKeyView>>, Failure> {
    caller.may(&state, AdminAction::ConfirmHostKey)?;
    let stored = ssh_resource(&state, &resource).await?;
    let mut keys: Vec<HostKey> =
        stored.value.host_keys.iter().filter(|key| is_confirmed(key)).cloned().collect();
    for key in seen.keys {
        if !keys.iter().any(|known| known.key == key) {
            keys.push(HostKey { key, state: HostKeyState::Learned });
        }
    }
    put(&state, &caller, stored, keys).await
}

/// Vouches for exactly these keys.
pub(super) async fn confirm(
    State(state): State<WebState>,
    caller: Caller,
    Path(resource): Path<String>,
    Body(wanted): Body<HostKeysRequest>,
) -> Result<Json<List<HostKeyView>>, Failure> {
    caller.may(&state, AdminAction::ConfirmHostKey)?;
    let stored = ssh_resource(&state, &resource).await?;
    let keys = wanted.keys.into_iter().map(|key| HostKey { key, state: HostKeyState::Confirmed }).collect();
    put(&state, &caller, stored, keys).await
}

async fn ssh_resource(state: &WebState, resource: &str) -> Result<Stored<Resource>, Failure> {
    let stored = names::named::<Resource>(state, resource).await?;
    if stored.value.kind == ResourceKind::Ssh {
        Ok(stored)
    } else {
        Err(Failure::invalid("only resources of type ssh have host keys"))
    }
}

async fn put(
    state: &WebState,
    caller: &Caller,
    stored: Stored<Resource>,
    host_keys: Vec<HostKey>,
) -> Result<Json<List<HostKeyView>>, Failure> {
    if host_keys.len() > KEYS_MAX {
        return Err(Failure::invalid(format!("a resource has at most {KEYS_MAX} host keys")));
    }
    if let Some(bad) = host_keys.iter().find(|key| !is_key(&key.key)) {
        let shown: String = bad.key.chars().take(40).collect();
        return Err(Failure::invalid(format!("{shown:?} is not a host key like `ssh-ed25519 AAAA…`")));
    }
    let resource = Resource { host_keys, ..stored.value };
    let mut change = state.store().change(caller.actor(), state.now()).await?;
    change.put(&resource, Expect::At(stored.version)).await?;
    change.commit().await?;
    Ok(Json(shown(&resource)))
}

fn shown(resource: &Resource) -> List<HostKeyView> {
    let view = |key: &HostKey| HostKeyView { key: key.key.clone(), confirmed: is_confirmed(key) };
    List { items: resource.host_keys.iter().map(view).collect() }
}

fn is_confirmed(key: &HostKey) -> bool {
    key.state == HostKeyState::Confirmed
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
