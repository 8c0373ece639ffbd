//! What a session shows when it dials again.

use crate::gateway::{
    Gateway, Refresh, Resource, Talk, code, give_tokens, nobody, postern, signed_in, stderr,
};
use postern_client::home::Profile;
use std::time::Duration;

/// A session that has begun, and whose kept token is at its end.
fn begun_with_an_old_token(refresh: Refresh) -> (Gateway, tempfile::TempDir, Talk) {
    let gateway = Gateway::start(refresh, Resource::Echo, &[]);
    let (dir, home) = signed_in(&gateway.url, -10, 900);
    let mut talk = Talk::begin(&home, &[]);
    talk.exchange(b"before");
    give_tokens(&home, &gateway.url, -1_000, -100);
    gateway.break_links();
    (gateway, dir, talk)
}

#[test]
fn a_session_that_goes_on_shows_a_fresh_token() {
    let (gateway, _dir, mut talk) = begun_with_an_old_token(Refresh::Works);
    talk.exchange(b"after");
    assert_eq!(gateway.shown(), ["old-access", "new-access"]);
    assert_eq!(talk.finish(), (0, String::new()));
}

#[test]
fn a_command_that_has_to_refresh_while_its_gateway_restarts_waits_for_it() {
    let gateway = Gateway::start(Refresh::Works, Resource::Echo, &[]);
    let (_dir, home) = signed_in(&gateway.url, -1_000, -100);
    gateway.die();
    let mut talk = Talk::begin(&home, &[]);
    gateway.wait_for_drops(2);
    gateway.live_again();
    talk.exchange(b"begun");
    let (code, told) = talk.finish();
    assert_eq!((code, gateway.refreshes()), (0, 1), "{told}");
}

#[test]
fn commands_that_wait_for_a_gateway_do_not_wait_one_after_the_other() {
    let (_dir, home) = signed_in("http://127.0.0.1:1/", -1_000, -100);
    let children: Vec<_> = (0..6).map(|_| postern(&home, &["proxy", "bastion"]).spawn().unwrap()).collect();
    let told: Vec<_> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert_eq!(code(&output), 75, "{}", stderr(&output));
            stderr(&output).contains("the gateway is not there, trying for 5 s")
        })
        .collect();
    // The others spent their wait behind the first one.
    assert_eq!(told.iter().filter(|told| **told).count(), 1);
}

#[test]
fn while_no_fresh_token_is_to_be_had_the_old_one_is_offered_for_the_resume() {
    let (gateway, _dir, mut talk) = begun_with_an_old_token(Refresh::Fails);
    talk.exchange(b"after");
    assert_eq!(gateway.shown(), ["old-access", "old-access"]);
    assert_eq!(gateway.sessions(), 1);
    assert_eq!(talk.finish(), (0, String::new()));
}

#[test]
fn a_sign_in_that_ended_ends_the_session_and_asks_nobody() {
    let (gateway, _dir, talk) = begun_with_an_old_token(Refresh::Ended);
    let told = "postern: your sign-in expired; sign in again with `postern login`\n";
    assert_eq!(talk.end(), (77, told.to_owned()));
    assert_eq!(gateway.links(), 1, "nothing is shown that nobody accepts");
}

#[test]
fn waiting_for_a_sign_in_is_no_part_of_the_window() {
    let late = Duration::from_millis(1_200);
    let gateway = Gateway::start(Refresh::WorksLate(late), Resource::Echo, &[]);
    let (_dir, home) = signed_in(&gateway.url, -1_000, -100);
    let mut talk = Talk::begin(&home, &[("POSTERN_RESUME", "1")]);
    talk.exchange(b"begun");
    assert_eq!(talk.finish(), (0, String::new()));
}

#[test]
fn a_service_account_is_told_the_addresses_by_its_environment() {
    let gateway = Gateway::start(Refresh::Ended, Resource::Echo, &[]);
    let (_dir, home) = nobody();
    let nodes = format!("http://127.0.0.1:1/,{}", gateway.url);
    let environment = [
        ("POSTERN_TOKEN", "pst_x"),
        ("POSTERN_GATEWAY", "https://gw.example"),
        ("POSTERN_GATEWAYS", nodes.as_str()),
    ];
    let mut talk = Talk::begin(&home, &environment);
    talk.exchange(b"begun");
    assert_eq!(talk.finish(), (0, String::new()));
    assert_eq!(gateway.shown(), ["pst_x"]);
}

#[test]
fn the_addresses_that_come_with_a_token_are_kept() {
    let gateway = Gateway::start(Refresh::Works, Resource::Echo, &[]);
    gateway.tell_nodes(&["https://gw1.example", "https://gw2.example"]);
    let (_dir, home) = signed_in(&gateway.url, -1_000, -100);
    // The nodes are not there: the public URL leads on.
    let mut talk = Talk::begin(&home, &[("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "127.0.0.1")]);
    talk.exchange(b"begun");
    assert_eq!(talk.finish(), (0, String::new()));
    let nodes: Vec<_> = Profile::require(&home).unwrap().gateways.iter().map(ToString::to_string).collect();
    assert_eq!(nodes, ["https://gw1.example/", "https://gw2.example/"]);
}
