//! `postern curl`: the system's curl, with a token for one application.

use super::ca;
use crate::{
    account,
    app_url::AppUrl,
    bearer::Bearer,
    cli::Curl,
    failure::{Failure, code},
    gateway::Api,
    home::{Home, Profile},
    renewal,
};
use postern_api::{IssueAppTokenRequest, IssuedAppToken, List, MyResource};
use postern_ids::TokenId;
use rustix::io::FdFlags;
use std::{
    io::Write,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};
use tokio::{process::Command, signal::unix::SignalKind};
use zeroize::Zeroizing;

/// Longer than any one transfer should take; the token is revoked when curl is done.
const TOKEN_LASTS_SECS: u64 = 12 * 3600;

/// Runs curl; its exit code is ours.
pub async fn run(home: &Home, command: &Curl) -> Result<(), Failure> {
    let profile = Profile::require(home)?;
    let bearer = renewal::get(home, &profile).await?;
    let api = Api::new(&profile, &bearer)?;
    let authority = ca::file(home, &profile).await?;
    let token = Token::get(&api, &bearer, &command.url).await?;
    let done = curl(&config(&command.url, &token.secret, authority.as_deref()), &command.arguments).await;
    // Whatever became of curl. A gateway that cannot be told ends the token by itself.
    if let Some(id) = token.made {
        let _ = account::with_api(home, async |api| api.delete(&format!("me/app-tokens/{id}")).await).await;
    }
    match done? {
        0 => Ok(()),
        exit => Err(Failure::silent(exit)),
    }
}

/// What curl shows, and the token that was made for it.
struct Token {
    secret: Zeroizing<String>,
    made: Option<TokenId>,
}

impl Token {
    /// A program shows its own token, which its rules limit; for a person one is made for this application.
    async fn get(api: &Api<'_>, bearer: &Bearer, url: &AppUrl) -> Result<Self, Failure> {
        let resources = api.get::<List<MyResource>>("me/resources").await?.items;
        let unknown = || {
            Failure::new(code::NOT_FOUND, format!("no application of yours is at {url}")).then("postern ls")
        };
        let application = url.application(&resources).ok_or_else(unknown)?;
        if bearer.is_service_account() {
            return Ok(Self { secret: Zeroizing::new(bearer.secret().to_owned()), made: None });
        }
        let wanted = IssueAppTokenRequest {
            resource: application.id.to_string(),
            path: String::new(),
            note: "postern curl".to_owned(),
            expires_in_secs: Some(TOKEN_LASTS_SECS),
        };
        let made: IssuedAppToken = api.post_json("me/app-tokens", &wanted).await?;
        Ok(Self { secret: Zeroizing::new(made.token), made: Some(made.view.id) })
    }
}

/// What curl is told beside its arguments. As a bearer token it is not sent on to where a redirect leads.
fn config(url: &AppUrl, secret: &str, authority: Option<&Path>) -> Zeroizing<String> {
    let mut config = Zeroizing::new(String::new());
    let mut say = |name: &str, value: &str| {
        let value = Zeroizing::new(value.replace('\\', "\\\\").replace('"', "\\\""));
        config.push_str(name);
        config.push_str(" = \"");
        config.push_str(&value);
        config.push_str("\"\n");
    };
    say("url", &url.to_string());
    say("oauth2-bearer", secret);
    if let Some(authority) = authority {
        say("cacert", &authority.to_string_lossy());
    }
    // Brackets and braces in an address are meant as they stand.
    config.push_str("globoff\n");
    config
}

/// Runs curl with `config` behind a descriptor that only it has, and gives its exit code.
async fn curl(config: &str, arguments: &[String]) -> Result<u8, Failure> {
    let broken = |e: std::io::Error| Failure::unavailable(format!("curl cannot be given its options: {e}"));
    let reader = filled_pipe(config).map_err(broken)?;
    let mut command = Command::new("curl");
    command.arg("--config").arg(format!("/dev/fd/{}", reader.as_raw_fd())).args(arguments);
    // An interrupt reaches curl too; this process stays to revoke the token.
    let stay = [SignalKind::interrupt(), SignalKind::terminate()].map(tokio::signal::unix::signal);
    let mut child = command.spawn().map_err(|error| {
        Failure::new(code::UNAVAILABLE, format!("curl cannot be started: {error}")).then("install curl")
    })?;
    drop(reader);
    let status = child.wait().await.map_err(broken)?;
    drop(stay);
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(code::UNAVAILABLE))
}

/// The reading end of a pipe that holds `text`, for a child to inherit. It is far below what a pipe takes without a reader.
fn filled_pipe(text: &str) -> std::io::Result<OwnedFd> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    std::fs::File::from(writer).write_all(text.as_bytes())?;
    rustix::io::fcntl_setfd(&reader, FdFlags::empty())?;
    Ok(reader)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_curl_is_told_stands_in_lines_of_its_own() {
        let url = "https://grafana.example/a?b=%22".parse().unwrap();
        let told = config(&url, "pst_app_x", Some(Path::new("/home/a \"b\"/ca.pem")));
        assert_eq!(
            *told,
            "url = \"https://grafana.example/a?b=%22\"\noauth2-bearer = \"pst_app_x\"\n\
             cacert = \"/home/a \\\"b\\\"/ca.pem\"\ngloboff\n"
        );
    }

    #[test]
    fn a_pipe_hands_over_what_was_written() {
        let mut text = String::new();
        std::fs::File::from(filled_pipe("hello").unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }
}
