//! The device authorization endpoint (RFC 8628): a code for the machine and a short one for the person.

use super::{OauthFailure, Words};
use crate::{WebState, body::Form, client_addr::Client, problem::Failure};
use axum::{Json, extract::State};
use postern_api::oauth::{CLIENT_ID, DEVICE_NAME_FIELD, DeviceAuthorizationReply};
use postern_identity::{UserCode, lifetimes};
use postern_store::{ChangeError, DeviceAuthorization, DeviceState, SecretHash};
use postern_token::opaque::{Opaque, OpaqueKind};

/// The longest device name that is shown.
const NAME_MAX_CHARS: usize = 64;

/// How often a taken user code is replaced by another; with 20^8 of them once is already rare.
const ATTEMPTS: usize = 3;

pub(crate) async fn authorize(
    State(state): State<WebState>,
    Client(address): Client,
    form: Result<Form, Failure>,
) -> Result<Json<DeviceAuthorizationReply>, OauthFailure> {
    let now = state.now();
    state.limits().device_authorization.admit(address, now).map_err(OauthFailure::Limited)?;
    let form = form?;
    if form.get("client_id") != Some(CLIENT_ID) {
        return Err(OauthFailure::Said(Words::InvalidClient, "client_id must be postern-cli"));
    }
    let secret = Opaque::from_entropy(OpaqueKind::DeviceCode, rand::random());
    let mut device = DeviceAuthorization {
        hash: SecretHash(secret.hash()),
        user_code: String::new(),
        client_id: CLIENT_ID.to_owned(),
        device: shown_name(form.get(DEVICE_NAME_FIELD)),
        address,
        interval: lifetimes::DEVICE_INTERVAL,
        expires_at: now.plus(lifetimes::DEVICE_CODE),
        state: DeviceState::Pending,
    };
    for _ in 0..ATTEMPTS {
        let code = UserCode::from_entropy(rand::random());
        code.as_str().clone_into(&mut device.user_code);
        match state.store().issue_device_code(&device).await {
            Ok(()) => return Ok(Json(reply(&state, &secret, &code))),
            Err(ChangeError::Taken { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(OauthFailure::Said(Words::ServerError, "no free code was found"))
}

fn reply(state: &WebState, secret: &Opaque, code: &UserCode) -> DeviceAuthorizationReply {
    let verification_uri = format!("{}/device", state.issuer());
    DeviceAuthorizationReply {
        device_code: secret.reveal().to_owned(),
        user_code: code.to_string(),
        verification_uri_complete: format!("{verification_uri}?user_code={code}"),
        verification_uri,
        expires_in: lifetimes::DEVICE_CODE.as_secs(),
        interval: lifetimes::DEVICE_INTERVAL.as_secs(),
    }
}

/// What the device calls itself, without anything that could pretend to be more than a name.
fn shown_name(name: Option<&str>) -> String {
    let kept: String = name
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' '))
        .take(NAME_MAX_CHARS)
        .collect();
    let kept = kept.trim();
    if kept.is_empty() { "unnamed".to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_name_is_only_a_name() {
        assert_eq!(shown_name(Some("laptop-7.example")), "laptop-7.example");
        assert_eq!(shown_name(Some("<b>\u{202e}x</b>\r\n")), "bxb");
        assert_eq!(shown_name(Some("\u{1b}[31m")), "31m");
        assert_eq!(shown_name(None), "unnamed");
        assert_eq!(shown_name(Some(&"x".repeat(1000))).len(), NAME_MAX_CHARS);
    }
}
