//! Bodies: large ones in flat memory and unchanged, parts of them, and those that wait for a word.

use anyhow::{Context, Result};
use postern_tests::apps::{Certificate, Nginx, Scene, Visitor};
use postern_tests::{Process, scenario, sized, tools};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// The memory that large bodies may cost: windows and buffers of one transfer, not the transfer.
const GROWTH_MAX: u64 = 48 * MIB;

#[test]
fn a_large_body_passes_both_ways_unchanged_in_flat_memory() -> Result<()> {
    scenario("apps-large", |scratch| {
        let scene = Scene::start(scratch)?;
        let certificate = Certificate::make(&scratch.join("nginx"), "DNS:localhost")?;
        let nginx = Nginx::start(&scratch.join("nginx"), &certificate)?;
        scene.publish("files", &nginx.target(), "{}")?;
        let alice = scene.alice()?;
        alice.visit(&scene.url("files", "/who"))?.expect(200)?;
        // A small one first: what every transfer needs once is there.
        let size = sized(256, 4096) * MIB;
        let large = alice.home().join("large");
        make_file(&large, size)?;
        let hash = hash_of(&large)?;
        upload(&scene, &alice, &scene.url("alpha", "/hash"), Path::new("/etc/hostname"))?;
        let memory = Memory::watch(scene.gateway().pid())?;
        let told = upload(&scene, &alice, &scene.url("alpha", "/hash"), &large)?;
        assert_eq!(
            (told["size"].as_u64(), told["sha256"].as_str()),
            (Some(size), Some(hash.as_str())),
            "{told}"
        );
        nginx.write("small", "x")?;
        std::fs::rename(&large, scratch.join("nginx/files/large"))?;
        let back = alice.home().join("back").display().to_string();
        alice.curled(&["--fail", "--output", &back, &scene.url("files", "/large")])?;
        assert_eq!(hash_of(Path::new(&back))?, hash);
        let grown = memory.grown();
        assert!(grown < GROWTH_MAX, "{} MiB more while {} MiB passed twice", grown / MIB, size / MIB);
        println!(
            "gateway memory: {} MiB more at most while {} MiB passed up and down",
            grown / MIB,
            size / MIB
        );
        Ok(())
    })
}

fn upload(scene: &Scene, visitor: &Visitor, url: &str, file: &Path) -> Result<Value> {
    let file = file.display().to_string();
    let said = visitor.curled(&["--fail", "--upload-file", &file, "--request", "POST", url]);
    serde_json::from_str(&said.with_context(|| scene.gateway().log())?).context("what the application says")
}

/// A file that does not compress and does not repeat within a window.
fn make_file(file: &Path, size: u64) -> Result<()> {
    let random = tools::command("openssl")?
        .args(["enc", "-aes-128-ctr", "-pass", "pass:the same each time", "-nosalt", "-pbkdf2", "-in"])
        .arg(sparse(file, size)?)
        .arg("-out")
        .arg(file)
        .status()?;
    anyhow::ensure!(random.success(), "openssl enc ended with {random}");
    Ok(())
}

fn sparse(file: &Path, size: u64) -> Result<std::path::PathBuf> {
    let zeros = file.with_extension("zeros");
    std::fs::File::create(&zeros)?.set_len(size)?;
    Ok(zeros)
}

fn hash_of(file: &Path) -> Result<String> {
    let ran = tools::command("sha256sum")?.arg(file).output()?;
    let line = String::from_utf8(ran.stdout)?;
    line.split(' ').next().map(str::to_owned).context("no hash")
}

/// Follows the resident memory of a process.
struct Memory {
    before: u64,
    most: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
}

impl Memory {
    fn watch(pid: u32) -> Result<Self> {
        let before = resident(pid)?;
        let (most, done) = (Arc::new(AtomicU64::new(before)), Arc::new(AtomicBool::new(false)));
        let (seen, ends) = (Arc::clone(&most), Arc::clone(&done));
        std::thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                let Ok(now) = resident(pid) else { return };
                seen.fetch_max(now, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Ok(Self { before, most, done })
    }

    /// The most that it had over what it had at first, so far.
    fn grown(&self) -> u64 {
        self.most.load(Ordering::SeqCst).saturating_sub(self.before)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
    }
}

fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib * 1024)
}

#[test]
fn parts_of_a_file_come_as_they_are_asked_for() -> Result<()> {
    scenario("apps-range", |scratch| {
        let scene = Scene::start(scratch)?;
        let certificate = Certificate::make(&scratch.join("nginx"), "DNS:localhost")?;
        let nginx = Nginx::start(&scratch.join("nginx"), &certificate)?;
        nginx.write("letters", "abcdefghijklmnopqrstuvwxyz")?;
        scene.publish("files", &nginx.target(), "{}")?;
        let alice = scene.alice()?;
        alice.visit(&scene.url("files", "/letters"))?.expect(200)?;
        let url = scene.url("files", "/letters");
        let part = alice.browser.send(&url, &["Range: bytes=2-4"], None)?.expect(206)?;
        assert_eq!((part.body.as_str(), part.header("content-range")), ("cde", Some("bytes 2-4/26")));
        let last = alice.browser.send(&url, &["Range: bytes=-3"], None)?.expect(206)?;
        assert_eq!(last.body, "xyz");
        let two = alice.browser.send(&url, &["Range: bytes=0-0,25-25"], None)?.expect(206)?;
        assert!(two.header("content-type").is_some_and(|kind| kind.starts_with("multipart/byteranges")));
        alice.browser.send(&url, &["Range: bytes=100-"], None)?.expect(416)?;
        let whole = alice.fetch(&url)?.expect(200)?;
        let tag = format!("If-None-Match: {}", whole.header("etag").context("no etag")?);
        alice.browser.send(&url, &[&tag], None)?.expect(304)?;
        let head = alice.curled(&["--head", &url])?;
        assert!(head.to_ascii_lowercase().contains("content-length: 26"), "{head}");
        Ok(())
    })
}

#[test]
fn a_body_that_waits_for_a_word_gets_it_and_only_once() -> Result<()> {
    scenario("apps-expect", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let file = alice.home().join("body");
        std::fs::write(&file, vec![b'x'; 2_000_000])?;
        let file = format!("@{}", file.display());
        let arguments =
            ["--http1.1", "--verbose", "--header", "Expect: 100-continue", "--data-binary", &file];
        let ask = |path: &str| -> Result<String> {
            let mut arguments = arguments.to_vec();
            let url = scene.url("alpha", path);
            arguments.push(&url);
            let mut asked = Process::start("expect", alice.curl(&arguments)?, alice.home())?;
            asked.wait(Duration::from_secs(60))?;
            Ok(asked.log())
        };
        let said = ask("/hash")?;
        assert_eq!(said.matches("HTTP/1.1 100").count(), 1, "{said}");
        assert!(said.contains("\"size\":2000000"), "{said}");
        // An answer that does not wait for the body is given at once.
        let said = ask("/early")?;
        assert!(said.contains("\"early\":true"), "{said}");
        Ok(())
    })
}
