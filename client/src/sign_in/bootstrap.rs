//! The first owner: a token that the gateway printed at its first start buys one account.

use super::Granted;
use crate::{
    failure::{Failure, chain, code},
    gateway,
    home::Profile,
};
use postern_api::{BootstrapRequest, Problem, ProblemCode, oauth::TokenReply};
use std::path::Path;
use zeroize::Zeroizing;

/// A token or password file holds one line.
const FILE_MAX_BYTES: u64 = 16 * 1024;

fn read_line(path: &Path) -> Result<Zeroizing<String>, Failure> {
    use std::io::Read;
    let failed = |e: std::io::Error| Failure::usage(format!("{}: {e}", path.display()));
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    let line = text.lines().next().map(|line| Zeroizing::new(line.to_owned()));
    line.filter(|line| !line.is_empty()).ok_or_else(|| Failure::usage(format!("{} is empty", path.display())))
}

fn ask_password() -> Result<Zeroizing<String>, Failure> {
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|e| {
            Failure::usage(format!("the password could not be read: {e}")).then("--password-file FILE")
        })
    };
    let password = ask("Password for the first owner: ")?;
    if *password != *ask("Again: ")? {
        return Err(Failure::usage("the two passwords differ"));
    }
    Ok(password)
}

/// Becomes the first owner and is signed in as them.
pub async fn sign_in(
    profile: &Profile,
    token_file: &Path,
    username: &str,
    password_file: Option<&Path>,
) -> Result<Granted, Failure> {
    let token = read_line(token_file)?;
    let password = password_file.map_or_else(ask_password, read_line)?;
    let request = BootstrapRequest {
        token: token.trim().to_owned(),
        username: username.to_owned(),
        password: password.to_string(),
    };
    let answer = gateway::http(profile)?.post(profile.url("/api/v1/bootstrap")).json(&request).send().await;
    let answer = answer.map_err(|e| gateway::unreachable(profile, &e))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|e| Failure::unavailable(chain(&e)))?;
    if status.is_success() {
        let reply: TokenReply = serde_json::from_slice(&body)
            .map_err(|e| Failure::unavailable(format!("the gateway's answer is not understood: {e}")))?;
        return Ok(Granted::from_reply(profile, reply));
    }
    Err(match serde_json::from_slice::<Problem>(&body) {
        // There is no second first owner, however often somebody tries.
        Ok(problem) if problem.code == ProblemCode::Conflict => {
            Failure { code: code::DENIED, ..Failure::problem(&problem) }
        }
        Ok(problem) => Failure::problem(&problem),
        Err(_) => gateway::without_problem(status),
    })
}
