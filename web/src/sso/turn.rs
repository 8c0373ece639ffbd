//! One look at all sign-ins.

use super::refresh;
use crate::{
    WebState,
    pages::{BROWSER, PageFailure},
};
use postern_identity::lifetimes;

/// Ends what nobody uses, notes what is used, and asks providers about the latter, in this order: who comes back too late
/// does not revive a sign-in by coming.
pub(crate) async fn turn(state: &WebState) -> Result<(), PageFailure> {
    let now = state.now();
    let used_before = now.minus(lifetimes::BROWSER_IDLE);
    let ended = state.store().end_idle_sign_ins(BROWSER, used_before, now).await?;
    if ended > 0 {
        tracing::info!(sign_ins = ended, "sign-ins that nobody used were ended");
    }
    let used = state.uses().to_write(state.config().live.sign_ins_in_use(), now);
    state.store().note_sign_ins_used(&used, now).await?;
    state.uses().written(&used, now);
    refresh::ask_all(state).await
}
