//! What an empty store still needs: the authority's key, and the token that makes the first owner.

use super::{
    files::{self, StateDir},
    foundation::on_store,
};
use crate::{
    exit::{Failure, chain},
    policies::wall_clock,
    tls::Authority,
};
use postern_identity::lifetimes::BOOTSTRAP_TOKEN;
use postern_ids::Timestamp;
use postern_store::{Actor, KeyKind, SecretHash, SigningKey, Store};
use postern_token::opaque::{Opaque, OpaqueKind};
use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

/// The authority's key is never replaced by itself: clients have pinned it.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(29 * 365 * 24 * 3_600);

/// The gateway's own authority: its key is in the store, so that all gateways of the installation share it.
pub(super) async fn authority(store: &Store) -> Result<Authority, Failure> {
    let now = wall_clock();
    let mut keys = store.signing_keys(KeyKind::Ca, now).await.map_err(|error| on_store(&error))?;
    if keys.is_empty() {
        let secret = Authority::generate_key().map_err(|error| Failure::Software(chain(&error)))?;
        let made = open(&secret)?;
        let candidate = SigningKey {
            kid: hex(&made.fingerprint()),
            kind: KeyKind::Ca,
            secret,
            public: made.pem(),
            created_at: now,
            signs_from: now,
            retires_at: now.plus(AUTHORITY_LIFETIME),
        };
        let by = Actor::system("first_start");
        let stored = store.rotate_signing_key(by, &candidate, Timestamp::EPOCH, now).await;
        keys = stored.map_err(|error| Failure::Unavailable(chain(&error)))?;
    }
    let Some(key) = keys.first() else {
        return Err(Failure::Software("the store took the authority's key and does not give it".to_owned()));
    };
    open(&key.secret)
}

fn open(pkcs8: &[u8]) -> Result<Authority, Failure> {
    Authority::from_pkcs8(pkcs8).map_err(|error| Failure::Software(chain(&error)))
}

/// Makes a bootstrap token while nobody owns the installation: in a file for its owner only, and on the terminal if there
/// is one; never in a log.
pub(super) async fn offer_bootstrap(store: &Store, state: &StateDir) -> Result<(), Failure> {
    let path = state.bootstrap_token();
    let entropy = zeroize::Zeroizing::new(rand::random::<[u8; 32]>());
    let token = Opaque::from_entropy(OpaqueKind::Bootstrap, *entropy);
    let now = wall_clock();
    let owned = store.is_bootstrapped().await.map_err(|error| on_store(&error))?;
    let issued = !owned
        && store
            .issue_bootstrap_token(SecretHash(token.hash()), now.plus(BOOTSTRAP_TOKEN), now)
            .await
            .map_err(|error| Failure::Unavailable(chain(&error)))?;
    if !issued {
        return files::remove(&path)
            .map_err(|error| Failure::Unavailable(format!("{}: {error}", path.display())));
    }
    files::write(&path, format!("{}\n", token.reveal()).as_bytes(), 0o600)?;
    tracing::warn!(file = %path.display(), "nobody owns this installation: `postern login --bootstrap-file` makes its owner, within 15 minutes");
    let mut terminal = std::io::stdout();
    if terminal.is_terminal() {
        // A terminal that went away does not stop the gateway; the file is there.
        let _ = writeln!(
            terminal,
            "bootstrap token (once, for 15 minutes; the next start makes another): {}",
            token.reveal()
        );
    }
    Ok(())
}

/// Lower-case hex, as fingerprints are written.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
