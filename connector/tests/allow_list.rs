//! T13 and T14: the connector refuses what leads to its own machine, whatever the gateway or a name server says.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use postern_connector::{
    allow::{AllowList, Entry, NotAllowed, Target, TargetError},
    target::{self, DialTargetError, Resolver},
};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

fn list(lines: &[&str]) -> AllowList {
    lines.iter().map(|line| line.parse::<Entry>().unwrap()).collect()
}

/// Answers each question with the next prepared answer, so that a second question would see other addresses.
#[derive(Default)]
struct FakeResolver {
    answers: HashMap<&'static str, Vec<Vec<SocketAddr>>>,
    asked: AtomicUsize,
}

impl FakeResolver {
    fn with(name: &'static str, answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|a| a.parse().unwrap()).collect();
        Self {
            answers: HashMap::from([(name, answers.iter().map(parse).collect())]),
            asked: AtomicUsize::new(0),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Resolver for FakeResolver {
    async fn resolve(&self, name: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        self.answers
            .get(name)
            .and_then(|answers| answers.get(turn.min(answers.len() - 1)))
            .cloned()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

async fn addresses(
    host: &str,
    port: u16,
    allow: &[&str],
    resolver: &FakeResolver,
) -> Result<Vec<SocketAddr>, String> {
    let target = Target::parse(host, port).map_err(|e| e.to_string())?;
    target::checked_addresses(&target, &list(allow), resolver).await.map_err(|e| e.to_string())
}

#[test]
fn an_empty_list_admits_nothing_and_names_the_missing_line() {
    let target = Target::parse("10.1.2.3", 5432).unwrap();
    let refusal = AllowList::default().check_target(&target).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "10.1.2.3:5432 is not on the connector's allow-list; to admit it add: 10.1.2.3:5432"
    );
    let line = refusal.to_string().rsplit_once("add: ").unwrap().1.to_owned();
    assert_eq!(list(&[&line]).check_target(&target), Ok(()), "the named line is enough");
}

#[test]
fn entries_are_read_and_written_the_same() {
    for line in ["10.0.0.0/8:*", "db.internal:5432", "127.0.0.1:22", "[::1]:22", "[fd00::]/8:443"] {
        assert_eq!(line.parse::<Entry>().unwrap().to_string(), line);
    }
    for bad in [
        "10.0.0.0/8",
        "db:0",
        "db:65536",
        "::1:22",
        "10.0.0.1/8:*",
        "a b:1",
        "*:*",
        "2130706433:1",
        ":22",
        "0x7f.1:2",
    ] {
        assert!(bad.parse::<Entry>().is_err(), "{bad}");
    }
}

#[test]
fn t13_wide_entries_never_reach_special_addresses() {
    let wide = list(&["0.0.0.0/0:*", "[::]/0:*"]);
    for host in [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "169.254.1.1",
        "fe80::1",
        "100.64.0.1",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fd00:ec2::254",
        "0.1.2.3",
        "240.0.0.1",
    ] {
        let target = Target::parse(host, 80).unwrap();
        let refusal = wide.check_target(&target).unwrap_err();
        let NotAllowed::Special { line, .. } = &refusal else { panic!("{host}: {refusal}") };
        assert_eq!(list(&[line]).check_target(&target), Ok(()), "{host}: the named line admits exactly it");
    }
    assert_eq!(wide.check_target(&Target::parse("8.8.8.8", 53).unwrap()), Ok(()));
}

#[test]
fn t13_a_loopback_network_admits_loopback_and_a_link_local_one_no_metadata() {
    let check =
        |line: &str, host: &str| list(&[line]).check_target(&Target::parse(host, 22).unwrap()).is_ok();
    assert!(check("127.0.0.0/8:22", "127.0.0.1"));
    assert!(!check("127.0.0.1:23", "127.0.0.1"));
    assert!(check("169.254.0.0/16:*", "169.254.7.7"));
    assert!(!check("169.254.0.0/16:*", "169.254.169.254"));
}

#[test]
fn t13_odd_spellings_of_addresses_are_refused() {
    for odd in [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "127.0.0.0x1",
        "1.2.3.4.5",
        "017700000001",
        "127.0.0.1.",
    ] {
        assert_eq!(Target::parse(odd, 80).unwrap_err(), TargetError::OddAddress, "{odd}");
    }
    for bad in [
        "",
        ".",
        "a..b",
        "/var/run/docker.sock",
        "unix:/x",
        "fe80::1%eth0",
        "a b",
        "-a",
        "a\0b",
        "a\nb",
        "é.example",
        "[::1",
    ] {
        assert!(Target::parse(bad, 80).is_err(), "{bad:?}");
    }
    assert_eq!(Target::parse("db", 0).unwrap_err(), TargetError::Port);
}

#[tokio::test]
async fn t13_localhost_with_a_final_dot_is_still_loopback() {
    let resolver = FakeResolver::with("localhost", &[&["127.0.0.1:0", "[::1]:0"]]);
    let refusal = addresses("LOCALHOST.", 22, &["localhost:22"], &resolver).await.unwrap_err();
    assert!(refusal.contains("loopback") && refusal.ends_with("127.0.0.1:22"), "{refusal}");
    let both = addresses("localhost", 22, &["localhost:22", "127.0.0.1:22", "[::1]:22"], &resolver).await;
    assert_eq!(both.unwrap().len(), 2);
}

#[tokio::test]
async fn t14_one_bad_address_among_good_ones_refuses_the_answer() {
    for bad in ["127.0.0.1:0", "[::1]:0", "169.254.169.254:0", "[::ffff:127.0.0.1]:0", "[fe80::1]:0"] {
        let resolver = FakeResolver::with("db.internal", &[&["10.0.0.1:0", bad]]);
        let refusal = addresses("db.internal", 5432, &["db.internal:5432"], &resolver).await;
        assert!(refusal.is_err(), "{bad}");
    }
}

#[tokio::test]
async fn t14_a_name_that_is_not_listed_has_to_resolve_into_a_listed_network() {
    let inside = FakeResolver::with("db.internal", &[&["10.0.0.1:0"]]);
    assert_eq!(
        addresses("db.internal", 5432, &["10.0.0.0/8:*"], &inside).await.unwrap(),
        ["10.0.0.1:5432".parse().unwrap()]
    );
    let outside = FakeResolver::with("db.internal", &[&["10.0.0.1:0", "11.0.0.1:0"]]);
    let refusal = addresses("db.internal", 5432, &["10.0.0.0/8:*"], &outside).await.unwrap_err();
    assert!(refusal.ends_with("add: db.internal:5432"), "{refusal}");
}

#[tokio::test]
async fn t14_a_name_nothing_could_admit_is_never_resolved() {
    let resolver = FakeResolver::with("secret.internal", &[&["10.0.0.1:0"]]);
    assert!(addresses("secret.internal", 5432, &["db.internal:5432"], &resolver).await.is_err());
    assert_eq!(resolver.asked(), 0, "no question leaks to a name server");
}

#[tokio::test]
async fn t14_the_name_is_resolved_once_and_the_checked_address_is_dialed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // The second answer would lead elsewhere: a resolver asked twice is how rebinding works.
    let resolver = FakeResolver::with("app.internal", &[&["127.0.0.1:9"], &["127.0.0.2:9"]]);
    let allow = list(&[&format!("app.internal:{port}"), &format!("127.0.0.1:{port}")]);
    let target = Target::parse("app.internal", port).unwrap();
    let tcp = target::connect(&target, &allow, &resolver).await.unwrap();
    assert_eq!(tcp.peer_addr().unwrap(), listener.local_addr().unwrap());
    assert_eq!(resolver.asked(), 1);
}

#[tokio::test]
async fn f19_a_target_that_refuses_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let allow = list(&[&address.to_string()]);
    let target = Target::parse("127.0.0.1", address.port()).unwrap();
    let error = target::connect(&target, &allow, &FakeResolver::default()).await.unwrap_err();
    assert!(matches!(error, DialTargetError::Connect { address: tried, .. } if tried == address));
}
