//! The tools that break things break them as they say: the fault proxy, the namespace, and the accounts that must notice.

use anyhow::{Context, Result};
use postern_tests::{
    FaultPath, FaultProxy, Namespace, Pace, Packets, Side, Way, Witness, Workload, scenario, tools, until,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);

/// So long nothing must come before silence is believed.
const SILENCE: Duration = Duration::from_millis(300);

#[test]
fn without_faults_bytes_and_half_closes_pass() -> Result<()> {
    let mut pair = Pair::new()?;
    pair.near.write_all(b"question")?;
    assert_eq!(heard(&mut pair.far, 8)?, b"question");
    pair.near.shutdown(Shutdown::Write)?;
    assert_eq!(pair.far.read(&mut [0; 1])?, 0);
    pair.far.write_all(b"answer")?;
    drop(pair.far);
    let mut answer = Vec::new();
    pair.near.read_to_end(&mut answer)?;
    assert_eq!(answer, b"answer");
    until("the end of the connection", SOON, || pair.proxy.open() == 0)?;
    Ok(())
}

#[test]
fn a_delayed_way_is_late_and_the_other_is_not() -> Result<()> {
    let mut pair = Pair::new()?;
    pair.proxy.set(Way::Up, FaultPath::delayed(Duration::from_millis(200)));
    let began = Instant::now();
    pair.near.write_all(b"x")?;
    heard(&mut pair.far, 1)?;
    assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    let began = Instant::now();
    pair.far.write_all(b"x")?;
    heard(&mut pair.near, 1)?;
    assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
    Ok(())
}

#[test]
fn a_throttled_way_keeps_its_rate() -> Result<()> {
    let mut pair = Pair::new()?;
    pair.proxy.set(Way::Both, FaultPath::throttled(1_000_000));
    let began = Instant::now();
    pair.near.write_all(&[7; 300_000])?;
    assert!(heard(&mut pair.far, 300_000)?.iter().all(|byte| *byte == 7));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(250) && took <= Duration::from_secs(2), "{took:?}");
    Ok(())
}

#[test]
fn a_blocked_way_is_silent_and_loses_nothing() -> Result<()> {
    let mut pair = Pair::new()?;
    pair.proxy.set(Way::Up, FaultPath::blocked());
    pair.near.write_all(b"held")?;
    assert!(is_silent(&mut pair.far)?);
    // One way only: the other passes.
    pair.far.write_all(b"free")?;
    assert_eq!(heard(&mut pair.near, 4)?, b"free");
    pair.proxy.heal();
    assert_eq!(heard(&mut pair.far, 4)?, b"held");
    Ok(())
}

#[test]
fn a_reset_reaches_both_sides_as_a_reset() -> Result<()> {
    let mut pair = Pair::new()?;
    pair.proxy.reset();
    assert_eq!(end_of(&mut pair.near)?, ErrorKind::ConnectionReset);
    assert_eq!(end_of(&mut pair.far)?, ErrorKind::ConnectionReset);
    Ok(())
}

#[test]
fn a_connection_is_cut_after_so_many_bytes() -> Result<()> {
    let proxy_and_listener = Setting::new()?;
    proxy_and_listener.proxy.cut_after(1000);
    let mut pair = proxy_and_listener.connect()?;
    pair.near.write_all(&[1; 600])?;
    heard(&mut pair.far, 600)?;
    pair.near.write_all(&[1; 600])?;
    assert_eq!(end_of(&mut pair.near)?, ErrorKind::ConnectionReset);
    assert_eq!(end_of(&mut pair.far)?, ErrorKind::ConnectionReset);
    Ok(())
}

#[test]
fn a_frozen_connection_is_silent_for_good_and_new_ones_pass() -> Result<()> {
    let setting = Setting::new()?;
    let mut old = setting.connect()?;
    setting.proxy.freeze();
    // The order shows within a moment; what is said after it is never heard.
    std::thread::sleep(Duration::from_millis(100));
    old.near.write_all(b"lost")?;
    assert!(is_silent(&mut old.far)? && is_silent(&mut old.near)?);
    let mut new = setting.connect()?;
    new.near.write_all(b"fresh")?;
    assert_eq!(heard(&mut new.far, 5)?, b"fresh");
    Ok(())
}

#[test]
fn who_vanishes_leaves_the_other_half_open() -> Result<()> {
    let mut pair = Pair::new()?;
    pair.proxy.vanish(Side::Near);
    assert_eq!(end_of(&mut pair.near)?, ErrorKind::ConnectionReset);
    assert!(is_silent(&mut pair.far)?);
    Ok(())
}

#[test]
fn new_connections_come_from_the_ordered_address() -> Result<()> {
    let setting = Setting::new()?;
    let before = setting.connect()?;
    setting.proxy.come_from(Ipv4Addr::new(127, 0, 0, 2));
    let after = setting.connect()?;
    assert_eq!(before.far.peer_addr()?.ip(), Ipv4Addr::LOCALHOST);
    assert_eq!(after.far.peer_addr()?.ip(), Ipv4Addr::new(127, 0, 0, 2));
    Ok(())
}

#[test]
fn a_refusing_proxy_resets_what_comes() -> Result<()> {
    let setting = Setting::new()?;
    let mut old = setting.connect()?;
    setting.proxy.refuse();
    assert_eq!(end_of(&mut old.near)?, ErrorKind::ConnectionReset);
    let mut new = TcpStream::connect(setting.proxy.address())?;
    assert_eq!(end_of(&mut new)?, ErrorKind::ConnectionReset);
    setting.proxy.heal();
    setting.connect()?;
    Ok(())
}

#[test]
fn accounts_notice_what_a_reset_cost() -> Result<()> {
    let witness = Witness::start()?;
    let proxy = FaultProxy::start(witness.address(), 1)?;
    let whole = Workload::forwarded(TcpStream::connect(proxy.address())?, Pace::TYPING, 1)?;
    whole.await_progress(SOON)?;
    let outcome = whole.finish(SOON)?;
    outcome.expect_whole()?;
    assert_eq!(witness.seen(1).tally.records, outcome.sent);
    let cut = Workload::forwarded(TcpStream::connect(proxy.address())?, Pace::TYPING, 2)?;
    cut.await_progress(SOON)?;
    proxy.set(Way::Down, FaultPath::blocked());
    std::thread::sleep(SILENCE);
    proxy.reset();
    cut.await_end(SOON)?;
    let outcome = cut.finish(SOON)?;
    assert!(!outcome.is_whole(), "{outcome:?}");
    assert!(outcome.longest_gap >= SILENCE / 2, "{outcome:?}");
    Ok(())
}

#[test]
fn a_namespace_reaches_this_machine_until_its_packets_are_dropped() -> Result<()> {
    scenario("namespace", |scratch| {
        let Some(namespace) = Namespace::or_skip("namespace", scratch.path())? else { return Ok(()) };
        let listener = TcpListener::bind((namespace.outside(), 0))?;
        let port = listener.local_addr()?.port();
        let reaches = || -> Result<bool> {
            let wrapper = namespace.wrapper();
            let (program, arguments) = wrapper.split_first().context("a wrapper")?;
            let script = format!("exec 3<>/dev/tcp/{}/{port}", namespace.outside());
            let bash = tools::find("bash").context("bash")?;
            let timeout = tools::find("timeout").context("timeout")?;
            let mut command = Command::new(program);
            command.args(arguments).arg(timeout).arg("1").arg(bash).args(["-c", &script]);
            Ok(command.output()?.status.success())
        };
        assert!(reaches()?);
        for packets in [Packets::Sent, Packets::Received, Packets::All] {
            namespace.drop_all(packets)?;
            assert!(!reaches()?, "{packets:?}");
        }
        namespace.heal()?;
        assert!(reaches()?);
        namespace.move_client()?;
        assert!(reaches()?, "from another address");
        Ok(())
    })
}

/// A proxy before a listener.
struct Setting {
    proxy: FaultProxy,
    listener: TcpListener,
}

impl Setting {
    fn new() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let proxy = FaultProxy::start(listener.local_addr()?, 1)?;
        Ok(Self { proxy, listener })
    }

    fn connect(&self) -> Result<Ends> {
        let before = self.proxy.open();
        let near = TcpStream::connect(self.proxy.address())?;
        let (far, _) = self.listener.accept()?;
        // The far side is connected a moment before the proxy can order things for the connection.
        until("the connection in the proxy", SOON, || self.proxy.open() > before)?;
        Ok(Ends { near, far })
    }
}

/// The two ends of a proxied connection.
struct Ends {
    near: TcpStream,
    far: TcpStream,
}

/// One proxied connection and its proxy.
struct Pair {
    proxy: FaultProxy,
    near: TcpStream,
    far: TcpStream,
}

impl Pair {
    fn new() -> Result<Self> {
        let setting = Setting::new()?;
        let Ends { near, far } = setting.connect()?;
        Ok(Self { proxy: setting.proxy, near, far })
    }
}

fn heard(stream: &mut TcpStream, count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.set_read_timeout(Some(SOON))?;
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn is_silent(stream: &mut TcpStream) -> Result<bool> {
    stream.set_read_timeout(Some(SILENCE))?;
    let end = stream.read(&mut [0; 1]).err().map(|error| error.kind());
    Ok(matches!(end, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut)))
}

/// How reading ends: the error, or an unexpected end.
fn end_of(stream: &mut TcpStream) -> Result<ErrorKind> {
    stream.set_read_timeout(Some(SOON))?;
    match stream.read(&mut [0; 1]) {
        Ok(0) => Ok(ErrorKind::UnexpectedEof),
        Ok(_) => anyhow::bail!("a byte where none was sent"),
        Err(error) => Ok(error.kind()),
    }
}
