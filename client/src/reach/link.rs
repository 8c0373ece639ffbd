//! The link to the gateway, and the lanes in it.

use super::ResourceRef;
use crate::{
    bearer::Bearer,
    failure::{Failure, chain},
    home::Profile,
};
use bytes::Bytes;
use http::HeaderValue;
use postern_api::{
    Action,
    tunnel::{OpenReply, OpenRequest, VERSION},
};
use postern_tunnel_io::{
    Challenge, Credentials, Dial, DialError, Incoming, Lane, Link, LinkConfig, Open, OpenError, Opened,
    Proxy, Refused, dial,
};

struct BearerCredentials<'a>(&'a Bearer);

impl Credentials for BearerCredentials<'_> {
    fn authorization(&mut self, _: Option<&Challenge>) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0.secret())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Dials the gateway as the holder of `bearer`.
pub async fn link_to(profile: &Profile, bearer: &Bearer) -> Result<(Link, Incoming), Failure> {
    let mut credentials = BearerCredentials(bearer);
    let dialed = dial(Dial {
        url: profile.url("/tunnel/client"),
        tls: profile.trust().into(),
        proxy: Proxy::from_env(),
        credentials: &mut credentials,
        config: LinkConfig::default(),
    });
    dialed.await.map_err(|error| dial_failure(&error, bearer))
}

fn dial_failure(error: &DialError, bearer: &Bearer) -> Failure {
    let DialError::Refused { refused } = error else {
        return Failure::unavailable(chain(error)).then("postern status");
    };
    let Refused { status, detail, .. } = refused;
    let told = detail.clone().unwrap_or_else(|| format!("the gateway answered {status}"));
    match status.as_u16() {
        401 if bearer.is_service_account() => {
            Failure::new(crate::failure::code::DENIED, "the gateway does not accept POSTERN_TOKEN")
        }
        401 => Failure::signed_out("the gateway does not accept your sign-in any more"),
        403 => Failure::new(crate::failure::code::DENIED, told),
        _ => Failure::unavailable(told),
    }
}

/// An open connection to a resource.
#[derive(Debug)]
pub struct Reached {
    /// The bytes.
    pub lane: Lane,
    /// What the gateway says about it.
    pub reply: OpenReply,
}

/// Opens a connection to a resource.
pub async fn open(link: &Link, resource: &ResourceRef) -> Result<Reached, Failure> {
    let request = OpenRequest {
        v: VERSION,
        resource: resource.as_str().to_owned(),
        action: Action::Connect,
        resumable: false,
    };
    let metadata = serde_json::to_vec(&request).map_err(|e| Failure::usage(e.to_string()))?;
    let open = Open { metadata: metadata.into(), early: Bytes::new(), ..Open::default() };
    let Opened { lane, metadata } = link.open(open).await.map_err(open_failure)?;
    let reply = serde_json::from_slice(&metadata)
        .map_err(|e| Failure::unavailable(format!("the gateway's answer is not understood: {e}")))?;
    Ok(Reached { lane, reply })
}

fn open_failure(error: OpenError) -> Failure {
    match error {
        OpenError::Refused { code, detail } => Failure::refused(code, &detail),
        OpenError::LinkLost | OpenError::Limit => Failure::unavailable(chain(&error)),
    }
}
