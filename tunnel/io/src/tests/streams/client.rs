//! The client of a scene.

use super::scene::Scene;
use crate::{
    Lane, Open, OpenError,
    stream::{Attempt, Connect, ConnectError, StreamState},
};
use postern_ids::Refusal;
use std::time::Duration;

/// The client: the scene's newest link, whatever it is.
impl Connect for Scene {
    async fn connect(&mut self, attempt: Attempt) -> Result<Lane, ConnectError> {
        let again = ConnectError::Retry(Duration::ZERO);
        self.parts().attempts.lock().unwrap().push(attempt.early.clone());
        let link = self.parts().client.lock().unwrap().as_ref().map(|(link, _)| link.clone()).ok_or(again)?;
        match link.open(Open { early: attempt.early, ..Open::default() }).await {
            Ok(opened) => Ok(opened.lane),
            Err(OpenError::Refused { code, .. }) if is_final(code) => Err(ConnectError::Final(code)),
            Err(OpenError::Refused { .. } | OpenError::LinkLost | OpenError::Limit) => {
                // Somebody dials again.
                if self.parts().client.lock().unwrap().as_ref().is_some_and(|(link, _)| link.is_closed()) {
                    self.connect_client();
                }
                Err(again)
            }
        }
    }

    fn changed(&mut self, state: StreamState) {
        self.parts().told_client.lock().unwrap().push(state);
    }
}

fn is_final(code: u16) -> bool {
    ![4409, Refusal::LinkLost.code(), Refusal::NoConnector.code(), Refusal::Draining.code()].contains(&code)
}
