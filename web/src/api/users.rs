//! Locking people out, and letting them in again.

use super::names;
use crate::{WebState, caller::Caller, problem::Failure};
use axum::{
    Json,
    extract::{Path, State},
};
use postern_api::{ObjectRef, UserSwitched};
use postern_policy::admin::AdminAction;
use postern_store::User;

pub(super) async fn disable(
    State(state): State<WebState>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<UserSwitched>, Failure> {
    switch(&state, &caller, &user, true).await
}

pub(super) async fn enable(
    State(state): State<WebState>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<UserSwitched>, Failure> {
    switch(&state, &caller, &user, false).await
}

/// Disabling ends every sign-in and token with the same commit; what lives is cut by the change feed.
async fn switch(
    state: &WebState,
    caller: &Caller,
    user: &str,
    disabled: bool,
) -> Result<Json<UserSwitched>, Failure> {
    caller.may(state, AdminAction::DisableUser)?;
    let user = names::named::<User>(state, user).await?.value;
    let mut change = state.store().change(caller.actor(), state.now()).await?;
    if disabled {
        change.disable_user(user.id).await?;
    } else {
        change.enable_user(user.id).await?;
    }
    let revision = change.commit().await?;
    let user = ObjectRef { id: user.id.to_string(), name: user.name.to_string() };
    Ok(Json(UserSwitched { user, disabled, revision }))
}
