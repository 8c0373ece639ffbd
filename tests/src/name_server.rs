//! A name server whose answers change at will, as a hostile or a broken one's do, and the way to make a program ask it.
//!
//! Needs root: the port of name servers, and a mount namespace in which `/etc/resolv.conf` names this one.

use crate::{Scratch, skipped, tools};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const PORT: u16 = 53;
/// Other tests listen at other loopback addresses; so many tries find a free one.
const ADDRESSES_TRIED_MAX: u32 = 64;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
/// An answer, recursion desired and available.
const FLAGS: u16 = 0x8180;
const NO_SUCH_NAME: u16 = 3;

/// A name server that lives as long as the program.
#[derive(Debug)]
pub struct NameServer {
    zone: Arc<Mutex<Zone>>,
    wrapper: Vec<String>,
}

type Zone = HashMap<String, Name>;

#[derive(Debug, Default)]
struct Name {
    /// One for each question, the last for all that follow.
    turns: Vec<String>,
    asked: usize,
}

impl NameServer {
    /// The domain that is tried for names without a dot.
    pub const SEARCH: &'static str = "corp.test";

    /// Starts one, or says why this machine cannot and so leaves `test` out.
    pub fn or_skip(test: &str, scratch: &Scratch) -> Result<Option<Self>> {
        if !tools::am_root() {
            skipped(test, "a name server of its own needs root");
            return Ok(None);
        }
        let socket = listen()?;
        let wrapper = wrapper(scratch, socket.local_addr()?.ip())?;
        if !is_usable(&wrapper) {
            skipped(test, "this kernel grants no mount namespace");
            return Ok(None);
        }
        let zone = Arc::new(Mutex::new(Zone::new()));
        let served = Arc::clone(&zone);
        std::thread::spawn(move || serve(&socket, &served));
        Ok(Some(Self { zone, wrapper }))
    }

    /// What a name stands for: one text for each time that it is asked for, the last one for all times that follow.
    ///
    /// A text lists addresses. `=NAME` makes the name an alias of that one, whose addresses follow; `@NAME` gives the
    /// addresses that follow to a name that nobody asked for. An empty text means that there is no such name. Nothing may be kept:
    /// every answer is good for 0 seconds.
    pub fn set(&self, name: &str, turns: &[&str]) {
        let turns = turns.iter().map(|&text| text.to_owned()).collect();
        lock(&self.zone).insert(name.to_owned(), Name { turns, asked: 0 });
    }

    /// How often it was asked for the name's IPv4 addresses since it was set.
    pub fn asked(&self, name: &str) -> usize {
        lock(&self.zone).get(name).map_or(0, |name| name.asked)
    }

    /// What starts a program that asks this server, and nothing else, for names.
    pub fn wrapper(&self) -> &[String] {
        &self.wrapper
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen() -> Result<UdpSocket> {
    let start = std::process::id();
    let mut candidates = (0..ADDRESSES_TRIED_MAX).map(|step| {
        let [_, _, high, low] = start.wrapping_add(step).wrapping_mul(2_654_435_761).to_le_bytes();
        Ipv4Addr::new(127, 53, high, low.max(1))
    });
    candidates
        .find_map(|address| UdpSocket::bind((address, PORT)).ok())
        .context("no free address for a name server")
}

/// `sh -c SCRIPT`: what follows as `$0 $@` is run where only this server is known.
fn wrapper(scratch: &Scratch, server: IpAddr) -> Result<Vec<String>> {
    let directory = scratch.directory("names")?;
    let files = [
        (
            "resolv.conf",
            format!("nameserver {server}\nsearch {}\noptions attempts:1 timeout:2\n", NameServer::SEARCH),
        ),
        ("nsswitch.conf", "hosts: dns\n".to_owned()),
    ];
    let mut mounts = String::new();
    for (name, text) in files {
        let file: PathBuf = directory.join(name);
        std::fs::write(&file, text)?;
        mounts.push_str(&format!("mount --bind \"{}\" /etc/{name} && ", file.display()));
    }
    let inner = format!("{mounts}exec \"$0\" \"$@\"");
    Ok(["unshare", "--mount", "sh", "-c", &inner].map(str::to_owned).to_vec())
}

fn is_usable(wrapper: &[String]) -> bool {
    let Some((program, arguments)) = wrapper.split_first() else { return false };
    Command::new(program).args(arguments).arg("true").output().is_ok_and(|output| output.status.success())
}

fn serve(socket: &UdpSocket, zone: &Mutex<Zone>) {
    let mut question = [0_u8; 512];
    while let Ok((length, from)) = socket.recv_from(&mut question) {
        let answer = question.get(..length).and_then(|question| answer(question, zone));
        if let Some(answer) = answer {
            send(socket, &answer, from);
        }
    }
}

fn send(socket: &UdpSocket, answer: &[u8], to: SocketAddr) {
    if let Err(error) = socket.send_to(answer, to) {
        eprintln!("the name server could not answer {to}: {error}");
    }
}

/// RFC 1035 section 4: the question repeated, and what the zone has for it.
fn answer(question: &[u8], zone: &Mutex<Zone>) -> Option<Vec<u8>> {
    let (name, after) = read_name(question, 12)?;
    let kind = u16::from_be_bytes(question.get(after..after + 2)?.try_into().ok()?);
    let records = records(&name, kind, zone);
    let flags = if records.is_some() { FLAGS } else { FLAGS | NO_SUCH_NAME };
    let records = records.unwrap_or_default();
    let mut answer = question.get(..2)?.to_vec();
    for number in [flags, 1, u16::try_from(records.len()).ok()?, 0, 0] {
        answer.extend(number.to_be_bytes());
    }
    answer.extend(question.get(12..after + 4)?);
    answer.extend(records.concat());
    Some(answer)
}

/// The records of a kind; `None` where there is no such name.
fn records(name: &str, kind: u16, zone: &Mutex<Zone>) -> Option<Vec<Vec<u8>>> {
    let mut zone = lock(zone);
    let found = zone.get_mut(name)?;
    found.asked += usize::from(kind == TYPE_A);
    // Both families are asked for at once: they belong to one turn.
    let turn = found.asked.saturating_sub(1).min(found.turns.len().saturating_sub(1));
    let text = found.turns.get(turn).filter(|text| !text.is_empty())?;
    let (mut owner, mut records) = (name.to_owned(), Vec::new());
    for word in text.split_whitespace() {
        match (word.strip_prefix('='), word.strip_prefix('@'), word.parse::<IpAddr>()) {
            (Some(alias), ..) => {
                records.push(record(&owner, TYPE_CNAME, &encode_name(alias)));
                owner = alias.to_owned();
            }
            (_, Some(foreign), _) => owner = foreign.to_owned(),
            (.., Ok(IpAddr::V4(ip))) if kind == TYPE_A => records.push(record(&owner, kind, &ip.octets())),
            (.., Ok(IpAddr::V6(ip))) if kind == TYPE_AAAA => records.push(record(&owner, kind, &ip.octets())),
            _ => {}
        }
    }
    Some(records)
}

fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let mut record = encode_name(owner);
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    for number in [kind, 1, 0, 0, length] {
        record.extend(number.to_be_bytes());
    }
    record.extend(data);
    record
}

fn encode_name(name: &str) -> Vec<u8> {
    let mut encoded = Vec::new();
    for label in name.split('.') {
        encoded.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        encoded.extend(label.as_bytes());
    }
    encoded.push(0);
    encoded
}

/// A name of the question, in lower case, and where it ends.
fn read_name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = message.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}
