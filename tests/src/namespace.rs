//! A network of its own for a client: a namespace joined to this machine by one virtual cable, on which packets can be lost.
//!
//! Needs root, `ip`, `nft`, `nsenter` and `unshare`. The namespace lives as long as the process that holds it, which the kernel
//! ends with the test: nothing is left behind, whatever happens.

use crate::process::Process;
use crate::skip::skipped;
use crate::{tools, wait};
use anyhow::{Context, Result};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Making a namespace and a cable takes milliseconds.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Networks that other tests hold are passed over; so many tries find a free one.
const NETWORKS_TRIED_MAX: u32 = 64;

/// Which packets of the client's cable are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packets {
    /// Those that the client sends.
    Sent,
    /// Those that the client should get.
    Received,
    /// Both.
    All,
}

/// A client's own network.
#[derive(Debug)]
pub struct Namespace {
    holder: Process,
    outside: Ipv4Addr,
}

impl Namespace {
    /// Makes one, or says why this machine cannot and so leaves `test` out.
    pub fn or_skip(test: &str, directory: &Path) -> Result<Option<Self>> {
        if let Some(reason) = hindrance() {
            skipped(test, &reason);
            return Ok(None);
        }
        let mut unshare = tools::command("unshare")?;
        unshare.args(["--net", "sleep", "infinity"]);
        let holder = Process::start("namespace", unshare, directory)?;
        let own = std::fs::read_link("/proc/self/ns/net")?;
        let theirs = format!("/proc/{}/ns/net", holder.pid());
        wait::until("the namespace", READY_WITHIN, || {
            std::fs::read_link(&theirs).is_ok_and(|namespace| namespace != own)
        })
        .with_context(|| holder.log_tail())?;
        let mut namespace = Self { holder, outside: Ipv4Addr::LOCALHOST };
        namespace.plug_in()?;
        namespace.heal()?;
        Ok(Some(namespace))
    }

    /// The address of this machine, as the namespace sees it.
    pub fn outside(&self) -> Ipv4Addr {
        self.outside
    }

    /// What starts a command inside.
    pub fn wrapper(&self) -> Vec<String> {
        let nsenter =
            tools::find("nsenter").map_or_else(|| "nsenter".to_owned(), |file| file.display().to_string());
        vec![nsenter, format!("--net=/proc/{}/ns/net", self.holder.pid()), "--".to_owned()]
    }

    /// Drops packets without a word: all of a kind.
    pub fn drop_all(&self, packets: Packets) -> Result<()> {
        self.filter(packets, ["drop", "drop"])
    }

    /// Drops the packets from and to one TCP port of this machine.
    pub fn drop_port(&self, port: u16, packets: Packets) -> Result<()> {
        let (sent, received) = (format!("tcp dport {port} drop"), format!("tcp sport {port} drop"));
        self.filter(packets, [&sent, &received])
    }

    /// Drops so many of a hundred packets, by chance.
    pub fn lose(&self, packets: Packets, percent: u8) -> Result<()> {
        let rule = format!("numgen random mod 100 < {percent} drop");
        self.filter(packets, [&rule, &rule])
    }

    /// Lets every packet pass.
    pub fn heal(&self) -> Result<()> {
        self.filter(Packets::All, ["accept", "accept"])
    }

    /// Resets every TCP connection of the namespace that exists.
    pub fn reset_connections(&self) -> Result<()> {
        let output = self.run("ss", &["--kill", "--tcp", "state", "established"])?.output()?;
        anyhow::ensure!(output.status.success(), "ss: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Moves the client to another address of its network; connections from the old one hang.
    pub fn move_client(&self) -> Result<()> {
        let [_, _, _, last] = self.outside.octets();
        let base = Ipv4Addr::from(u32::from(self.outside) - u32::from(last % 8));
        let (old, new) = (address_in(base, 2), address_in(base, 3));
        let is_old =
            String::from_utf8(self.run("ip", &["-o", "addr"])?.output()?.stdout)?.contains(&old.to_string());
        let (from, to) = if is_old { (old, new) } else { (new, old) };
        self.ip_inside(&["addr", "del", &format!("{from}/29"), "dev", "cable"])?;
        self.ip_inside(&["addr", "add", &format!("{to}/29"), "dev", "cable"])
    }

    /// Puts one rule on each way, or none on a way that is not meant.
    fn filter(&self, packets: Packets, [sent, received]: [&str; 2]) -> Result<()> {
        let sent = if packets == Packets::Received { "accept" } else { sent };
        let received = if packets == Packets::Sent { "accept" } else { received };
        // The loopback inside stays whole: it is no part of the way.
        let table = format!(
            "table inet faults\ndelete table inet faults\ntable inet faults {{\n\
             chain sent {{ type filter hook output priority 0; oif lo accept; {sent}; }}\n\
             chain received {{ type filter hook input priority 0; iif lo accept; {received}; }}\n}}\n"
        );
        let mut nft = self.run("nft", &["-f", "-"])?;
        let mut child = nft.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().context("start nft")?;
        child.stdin.take().context("a pipe")?.write_all(table.as_bytes())?;
        let output = child.wait_with_output()?;
        anyhow::ensure!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Joins the namespace to this machine with a cable and addresses that nothing else uses.
    fn plug_in(&mut self) -> Result<()> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let holder = self.holder.pid().to_string();
        // An interface name has 15 characters at most.
        let cable = format!("pt{holder}x{}", number % 100);
        ip(&["link", "add", &cable, "type", "veth", "peer", "name", "cable", "netns", &holder])?;
        let base = free_network(self.holder.pid())?;
        let (outside, inside) = (address_in(base, 1), address_in(base, 2));
        ip(&["addr", "add", &format!("{outside}/29"), "dev", &cable])?;
        ip(&["link", "set", &cable, "up"])?;
        self.ip_inside(&["link", "set", "lo", "up"])?;
        self.ip_inside(&["addr", "add", &format!("{inside}/29"), "dev", "cable"])?;
        self.ip_inside(&["link", "set", "cable", "up"])?;
        self.outside = outside;
        Ok(())
    }

    fn ip_inside(&self, arguments: &[&str]) -> Result<()> {
        succeed(&mut self.run("ip", arguments)?)
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> Result<Command> {
        let tool = tools::find(tool).with_context(|| format!("`{tool}` is not on this machine"))?;
        let wrapper = self.wrapper();
        let (nsenter, rest) = wrapper.split_first().context("a wrapper")?;
        let mut command = Command::new(nsenter);
        command.args(rest).arg(tool).args(arguments);
        Ok(command)
    }
}

/// Why this machine cannot make namespaces, if it cannot.
fn hindrance() -> Option<String> {
    if !tools::am_root() {
        return Some("network namespaces need root".to_owned());
    }
    if let Some(tool) =
        ["ip", "nft", "ss", "nsenter", "unshare"].into_iter().find(|tool| tools::find(tool).is_none())
    {
        return Some(format!("network namespaces need `{tool}`"));
    }
    let attempt = Command::new("unshare").args(["--net", "nft", "add", "table", "inet", "probe"]).output();
    match attempt {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "this kernel grants no namespace with nftables: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("`unshare`: {error}")),
    }
}

/// A network of eight addresses in 10.192.0.0/10 that no interface of this machine has; `start` spreads processes apart.
fn free_network(start: u32) -> Result<Ipv4Addr> {
    let used = String::from_utf8(tools::command("ip")?.args(["-o", "-4", "addr"]).output()?.stdout)?;
    let candidates = (0..NETWORKS_TRIED_MAX).map(|step| {
        let network = start.wrapping_add(step).wrapping_mul(2_654_435_761) >> 13 & 0x7_ffff;
        Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 192, 0, 0)) + (network << 3))
    });
    let mut free = candidates.filter(|base| !used.contains(&format!(" {}/", address_in(*base, 1))));
    free.next().context("no free network in 10.192.0.0/10")
}

fn address_in(base: Ipv4Addr, host: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(base) + host)
}

fn ip(arguments: &[&str]) -> Result<()> {
    succeed(tools::command("ip")?.args(arguments))
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("start {:?}", command.get_program()))?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
