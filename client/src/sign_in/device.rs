//! The sign-in on another device (RFC 8628): an address and a code on the screen, and patient questions.

use super::{Granted, TokenError, oauth_failure, post_form, post_token};
use crate::{
    failure::{Failure, code, printable},
    home::Profile,
};
use postern_api::oauth::{CLIENT_ID, DEVICE_NAME_FIELD, DeviceAuthorizationReply, GRANT_DEVICE_CODE};
use std::time::{Duration, Instant};

/// RFC 8628 section 3.5: `slow_down` adds this much.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// What the consent page calls this machine, so that a person notices when the code is somebody else's.
fn this_device() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Shows where to go and waits until the person has been there.
pub async fn sign_in(profile: &Profile) -> Result<Granted, Failure> {
    let reply: DeviceAuthorizationReply = post_form(
        profile,
        "/oauth/device_authorization",
        &[("client_id", CLIENT_ID), (DEVICE_NAME_FIELD, &this_device())],
    )
    .await?;
    eprintln!(
        "On any device, visit\n  {}\nand enter the code\n  {}\n\nOr open\n  {}",
        printable(&reply.verification_uri),
        printable(&reply.user_code),
        printable(&reply.verification_uri_complete)
    );
    let end = Instant::now() + Duration::from_secs(reply.expires_in);
    let mut interval = Duration::from_secs(reply.interval.clamp(1, 60));
    let form = [
        ("grant_type", GRANT_DEVICE_CODE),
        ("client_id", CLIENT_ID),
        ("device_code", reply.device_code.as_str()),
    ];
    while Instant::now() < end {
        tokio::time::sleep(interval).await;
        match post_token(profile, &form).await {
            Ok(granted) => return Ok(granted),
            Err(TokenError::Oauth(error)) => match error.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval += SLOW_DOWN,
                _ => return Err(oauth_failure(&error)),
            },
            // A gateway that restarts meanwhile is no reason to make the person begin again.
            Err(TokenError::Away(_)) => {}
            Err(TokenError::Failed(failure)) if failure.code == code::UNAVAILABLE => {}
            Err(TokenError::Failed(failure)) => return Err(failure),
        }
    }
    Err(Failure::signed_out("the code expired before it was entered").then("postern login --headless"))
}
