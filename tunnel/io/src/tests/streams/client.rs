//! The client of a scene.

use super::scene::Scene;
use crate::{
    Lane, Open, OpenError,
    stream::{Attempt, Connect, ConnectError, StreamState},
};
use postern_ids::Refusal;
use std::time::Duration;

/// The client: its newest link, whatever it is.
pub(super) struct Client(pub(super) Scene);

impl Connect for Client {
    async fn connect(&mut self, attempt: Attempt) -> Result<Lane, ConnectError> {
        let again = ConnectError::Retry(Duration::ZERO);
        self.0.parts().attempts.lock().unwrap().push(attempt.early.clone());
        let link =
            self.0.parts().client.lock().unwrap().as_ref().map(|(link, _)| link.clone()).ok_or(again)?;
        match link.open(Open { early: attempt.early, ..Open::default() }).await {
            Ok(opened) => Ok(opened.lane),
            Err(OpenError::Refused { code, .. }) if is_final(code) => Err(ConnectError::Final(code)),
            Err(OpenError::Refused { .. } | OpenError::LinkLost | OpenError::Limit) => {
                // Somebody dials again.
                if self.0.parts().client.lock().unwrap().as_ref().is_some_and(|(link, _)| link.is_closed()) {
                    self.0.connect_client();
                }
                Err(again)
            }
        }
    }

    fn changed(&mut self, state: StreamState) {
        self.0.parts().told_client.lock().unwrap().push(state);
    }
}

fn is_final(code: u16) -> bool {
    ![4409, Refusal::LinkLost.code(), Refusal::NoConnector.code(), Refusal::Draining.code()].contains(&code)
}
