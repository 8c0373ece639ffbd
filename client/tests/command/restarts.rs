//! Commands that begin while their gateway restarts, or is not there at all.

use crate::gateway::{Gateway, Refresh, Resource, Talk, code, postern, signed_in, stderr};

#[test]
fn a_gateway_that_is_not_there_is_waited_for_with_one_line_and_then_75() {
    let (_dir, home) = signed_in("http://127.0.0.1:1/", -10, 900);
    let all = [(&["proxy", "bastion"][..], true), (&["ls"], true), (&["users", "disable", "alice"], true)];
    // Whoever asks for the status wants that of this moment.
    let all = all.into_iter().chain([(&["status"][..], false)]);
    let begun: Vec<_> =
        all.map(|(args, waits)| (args, waits, postern(&home, args).spawn().unwrap())).collect();
    for (args, is_waited_for, child) in begun {
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 75, "{args:?}: {}", stderr(&output));
        let told = "postern: the gateway is not there, trying for 5 s";
        let stderr = stderr(&output);
        assert_eq!(stderr.starts_with(told), is_waited_for, "{args:?}: {stderr}");
        assert_eq!(stderr.matches(told).count(), usize::from(is_waited_for), "{args:?}: {stderr}");
    }
}

#[test]
fn a_session_that_begins_while_its_gateway_restarts_waits_for_it() {
    let gateway = Gateway::start(Refresh::Works, Resource::Echo, &[]);
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    gateway.die();
    let mut talk = Talk::begin(&home, &[]);
    gateway.wait_for_drops(2);
    gateway.live_again();
    talk.exchange(b"it was worth the wait");
    let (code, told) = talk.finish();
    assert_eq!(code, 0, "{told}");
}

#[test]
fn a_command_that_reads_while_its_gateway_restarts_waits_for_it() {
    let gateway = Gateway::start(Refresh::Works, Resource::Echo, &[]);
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    gateway.die();
    let child = postern(&home, &["sessions", "ls", "--json"]).spawn().unwrap();
    gateway.wait_for_drops(2);
    gateway.live_again();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[]\n");
}

#[test]
fn what_changes_something_and_may_have_arrived_is_not_sent_again() {
    let gateway = Gateway::start(Refresh::Works, Resource::Echo, &[]);
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    gateway.die();
    let output = postern(&home, &["users", "disable", "alice"]).output().unwrap();
    assert_eq!(code(&output), 75, "{}", stderr(&output));
    assert_eq!(gateway.drops(), 1);
}
