//! Hostile HTTP at the public port, byte for byte: each test bears the id of its row in the threat catalogue. What holds for
//! every host is shown at the console's.

mod http1;
mod http2;
mod limits;

use anyhow::Result;
use postern_tests::curl::Answer;
use postern_tests::{Gateway, GatewayOptions, Scratch, raw, scenario, tools};

/// Runs a test against a gateway of its own.
fn with_gateway(name: &str, test: impl FnOnce(&Gateway, &Scratch) -> Result<()>) -> Result<()> {
    with_options(name, &GatewayOptions::embedded(), test)
}

fn with_options(
    name: &str,
    options: &GatewayOptions,
    test: impl FnOnce(&Gateway, &Scratch) -> Result<()>,
) -> Result<()> {
    scenario(name, |scratch| {
        let gateway = Gateway::start(&tools::programs()?, &scratch.join("gateway"), options)?;
        test(&gateway, scratch)
    })
}

/// Sends one request and expects its one answer, which refuses it with this status and word, and the end of the
/// connection.
fn refused(gateway: &Gateway, request: impl AsRef<[u8]>, status: u16, label: &str) -> Result<()> {
    let request = request.as_ref();
    let answers = raw::exchange(gateway, request)?;
    let shown = String::from_utf8_lossy(request.get(..200).unwrap_or(request)).into_owned();
    let [answer] = answers.as_slice() else { anyhow::bail!("{shown:?} was answered {answers:?}") };
    assert_eq!(answer.status, status, "{shown:?}: {}", answer.body);
    assert!(says(answer, label), "{shown:?}: {}", answer.body);
    Ok(())
}

/// Whether a problem names this reason.
fn says(answer: &Answer, label: &str) -> bool {
    answer.json().is_ok_and(|problem| problem["errors"][0] == label)
}
