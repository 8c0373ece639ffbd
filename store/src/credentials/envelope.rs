//! Values that leave the store sealed and come back: what a browser keeps for us and must neither read nor change.

use crate::{Store, seal::Place};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// No table has this name: a sealed column does not open as one of these, nor the other way round.
const TABLE: &str = "envelope";

impl Store {
    /// Seals a value for one purpose and one holder, such as a host: it opens for no other. As text for a cookie or URL.
    pub fn seal_for(&self, purpose: &'static str, holder: &str, value: &[u8]) -> String {
        let place = Place { table: TABLE, id: holder, column: purpose };
        URL_SAFE_NO_PAD.encode(self.inner.seals.seal(place, value))
    }

    /// Opens what [`Store::seal_for`] gave for the same purpose and holder; nothing for anything else.
    pub fn open_for(&self, purpose: &'static str, holder: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        self.inner.seals.open(Place { table: TABLE, id: holder, column: purpose }, &bytes).ok()
    }
}
