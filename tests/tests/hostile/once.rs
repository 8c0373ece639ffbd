//! Secrets that are good once, shown to two gateways at the same moment.

use super::SOON;
use anyhow::{Context, Result};
use postern_tests::curl::{Answer, Browser};
use postern_tests::pages::approve;
use postern_tests::world::ALICE;
use postern_tests::{Fleet, Plan, Scratch, scenario, tools, until};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Barrier};

/// So many show it at once, half of them at each gateway.
const AT_ONCE: usize = 8;

const FORM: [&str; 1] = ["Content-Type: application/x-www-form-urlencoded"];
pub(super) const JSON: [&str; 1] = ["Content-Type: application/json"];

#[test]
fn j12_of_many_who_show_one_secret_at_two_gateways_at_once_the_first_wins() -> Result<()> {
    scenario("j12", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(2))?;
        enrolment_token(&fleet, scratch)?;
        device_code(&fleet, scratch)?;
        refresh_token(&fleet)
    })
}

fn enrolment_token(fleet: &Fleet, scratch: &Scratch) -> Result<()> {
    let made = fleet.owner.json(&["tokens", "create", "--site", "office"])?;
    let secret = secret_in(made["token"].as_str().context("a token")?, scratch)?;
    let mut asked = Vec::new();
    for number in 0..AT_ONCE {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": public_key()?});
        asked
            .push(json!({"secret": secret, "public_key": key, "name": format!("twin-{number}")}).to_string());
    }
    let answers = at_once(fleet, "/api/v1/enroll", &JSON, &asked)?;
    expect_one(&answers, 401, "code", "replayed")?;
    let twins = fleet.query("select count(*) from connectors where name like 'twin-%'")?;
    assert_eq!(twins, "1", "of the connectors one is registered");
    Ok(())
}

fn device_code(fleet: &Fleet, scratch: &Scratch) -> Result<()> {
    let asked = shown(fleet, 0, "/oauth/device_authorization", &FORM, "client_id=postern-cli")?.json()?;
    let address = asked["verification_uri_complete"].as_str().context("an address")?;
    let browser = fleet.nodes[0].gateway.browser(scratch.path());
    approve(&browser, address, ALICE.0, ALICE.1)?;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let code = asked["device_code"].as_str().context("a code")?;
    let form = format!("client_id=postern-cli&grant_type={grant}&device_code={code}");
    let answers = at_once(fleet, "/oauth/token", &FORM, &vec![form; AT_ONCE])?;
    // In the words that RFC 8628 has for it: a 401 of this endpoint would speak of the client, not of the code.
    expect_one(&answers, 400, "error", "expired_token")
}

/// A refresh token is good once as well, but whoever asks beside the first gets what the first got.
fn refresh_token(fleet: &Fleet) -> Result<()> {
    let tokens: Value =
        serde_json::from_slice(&std::fs::read(fleet.alice.home().join("postern/tokens.json"))?)?;
    let token = tokens["refresh_token"].as_str().context("a refresh token")?;
    let form = format!("client_id=postern-cli&grant_type=refresh_token&refresh_token={token}");
    let answers = at_once(fleet, "/oauth/token", &FORM, &vec![form; AT_ONCE])?;
    let mut successors = Vec::new();
    for answer in &answers {
        let told = answer.clone().expect(200)?.json()?;
        successors.push(told["refresh_token"].as_str().context("a successor")?.to_owned());
    }
    successors.dedup();
    assert_eq!(successors.len(), 1, "one rotation, one successor");
    assert_ne!(successors[0], token);
    let reused = "select count(*) from sign_ins where end_reason = 'refresh_token_reused'";
    assert_eq!(fleet.query(reused)?, "0");
    until("alice to go on", SOON, || fleet.alice.run(&["ls"]).is_ok_and(|ran| ran.code == 0))?;
    Ok(())
}

/// One succeeded; the others are told so.
fn expect_one(answers: &[Answer], status: u16, member: &str, word: &str) -> Result<()> {
    let told: Vec<String> =
        answers.iter().map(|answer| format!("{} {}", answer.status, answer.body)).collect();
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    anyhow::ensure!(won == 1, "{won} succeeded: {told:#?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        anyhow::ensure!(answer.status == status && answer.json()?[member] == word, "{told:#?}");
    }
    Ok(())
}

/// Everybody at once: the even ones at the first gateway, the odd ones at the second.
fn at_once(
    fleet: &Fleet,
    path: &'static str,
    headers: &[&'static str],
    bodies: &[String],
) -> Result<Vec<Answer>> {
    let start = Arc::new(Barrier::new(bodies.len()));
    let running = bodies.iter().enumerate().map(|(number, body)| {
        let (browser, url) = gateway(fleet, number, path);
        let (start, headers, body) = (Arc::clone(&start), headers.to_vec(), body.clone());
        std::thread::spawn(move || {
            start.wait();
            browser.send(&url, &headers, Some(("POST", &body)))
        })
    });
    let running: Vec<_> = running.collect();
    let done = running.into_iter().map(|one| one.join().map_err(|_| anyhow::anyhow!("a caller panicked"))?);
    done.collect()
}

fn shown(fleet: &Fleet, number: usize, path: &str, headers: &[&str], body: &str) -> Result<Answer> {
    let (browser, url) = gateway(fleet, number, path);
    browser.send(&url, headers, Some(("POST", body)))
}

/// Somebody without cookies, and an address at one of the gateways itself.
fn gateway(fleet: &Fleet, number: usize, path: &str) -> (Browser, String) {
    let gateway = &fleet.nodes[number % fleet.nodes.len()].gateway;
    let url = format!("https://{}{path}", gateway.public_address());
    (Browser::new(&gateway.authority(), Path::new("/dev")), url)
}

/// The secret that an enrolment token carries.
pub(super) fn secret_in(token: &str, scratch: &Scratch) -> Result<String> {
    let mut text = token.strip_prefix("pse_").context("an enrolment token")?.to_owned();
    while text.len() % 4 != 0 {
        text.push('=');
    }
    let file = scratch.join("enrolment-token.base64");
    std::fs::write(&file, text)?;
    let decoded = tools::command("basenc")?.args(["--base64url", "--decode"]).arg(&file).output()?;
    let wire: Value = serde_json::from_slice(&decoded.stdout)?;
    Ok(wire["secret"].as_str().context("a secret")?.to_owned())
}

/// The public half of a new Ed25519 key.
pub(super) fn public_key() -> Result<String> {
    let line = "openssl genpkey -algorithm ed25519 -outform DER | openssl pkey -inform DER -pubout -outform DER \
                | tail -c 32 | basenc --base64url | tr -d '=\\n'";
    let made = tools::command("sh")?.args(["-c", line]).output()?;
    Ok(String::from_utf8(made.stdout)?)
}
