//! The bell between whoever changes something and the feeds of this process.

use tokio::sync::watch;

/// Wakes the feeds of this process early; rung by every commit and by the listener.
#[derive(Debug, Clone)]
pub(crate) struct Wake(watch::Sender<()>);

impl Default for Wake {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Wake {
    /// Changes when the bell rings.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }

    pub(crate) fn ring(&self) {
        self.0.send_replace(());
    }
}
