//! Asking providers again about people who are signed in: what changed there changes here, and a no ends the sign-in (O9).

use super::{back, start::failed};
use crate::{WebState, pages::PageFailure, providers::Known};
use postern_identity::oidc::{ProviderError, Rejected, SignedIn};
use postern_ids::Timestamp;
use postern_store::{Actor, Due, DueRefresh, Object, Provider, WelcomeError};
use std::time::{Duration, Instant};

/// How old a provider's word may become.
const EVERY: Duration = Duration::from_secs(300);
/// Sign-ins of one provider that are asked about in one turn: a provider is not stormed after an outage.
const AT_ONCE: u32 = 20;

/// A sign-in that was used within this time is one in use: twice as long as uses are written down apart.
const IN_USE: Duration = Duration::from_secs(600);

/// One turn over all providers, about the sign-ins that are in use.
pub(super) async fn ask_all(state: &WebState) -> Result<(), PageFailure> {
    for stored in state.store().all::<Provider>().await? {
        let name = stored.value.name();
        let Some(known) = state.providers().find(state.store(), state.issuer(), name).await? else {
            continue;
        };
        let now = state.now();
        // The pause differs from turn to turn, so that people who came together do not stay together.
        let pause = EVERY.mul_f64(0.8 + 0.2 * rand::random::<f64>());
        let due = Due {
            provider: name,
            asked_before: now.minus(pause),
            used_after: now.minus(IN_USE),
            max: AT_ONCE,
        };
        let due = state.store().take_due_refreshes(&due, now).await?;
        for one in due {
            ask(state, &known, &one, now).await?;
        }
    }
    Ok(())
}

async fn ask(state: &WebState, known: &Known, due: &DueRefresh, now: Timestamp) -> Result<(), PageFailure> {
    let answer = known.party.refresh(&due.refresh_token, &due.subject, now, Instant::now()).await;
    match answer {
        Ok(Some(word)) => follow(state, known, due, &word, now).await,
        // It has nothing to say: the sign-in goes on to its limit.
        Ok(None) => Ok(()),
        Err(ProviderError::Rejected(Rejected::Ended | Rejected::Subject)) => {
            end(state, due, "provider_ended", now).await
        }
        // An outage ends nothing (F22); whatever else cannot be believed changes nothing.
        Err(error) => {
            let _ = failed(known.provider.name(), &error);
            Ok(())
        }
    }
}

async fn follow(
    state: &WebState,
    known: &Known,
    due: &DueRefresh,
    word: &SignedIn,
    now: Timestamp,
) -> Result<(), PageFailure> {
    match state.store().welcome(&back::vouched(known, &word.person), now).await {
        Ok(_) => {}
        Err(WelcomeError::Unknown | WelcomeError::Disabled) => {
            return end(state, due, "not_welcome", now).await;
        }
        Err(WelcomeError::Change(error)) => return Err(error.into()),
    }
    Ok(state.store().keep_provider_word(due.sign_in, &back::word(word), now).await?)
}

async fn end(state: &WebState, due: &DueRefresh, reason: &str, now: Timestamp) -> Result<(), PageFailure> {
    tracing::info!(sign_in.id = %due.sign_in, user.id = %due.user, reason, "a sign-in was ended by its provider");
    let by = Actor::system("provider");
    state.store().end_sign_in(due.sign_in, reason, &by, now).await.map(drop)?;
    // Commands that were let in from it rest on the same word.
    Ok(state.store().end_sign_ins_resting_on(due.sign_in, reason, now).await?)
}
