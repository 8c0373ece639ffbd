//! Replays the committed fuzz corpus with the code of the fuzz targets.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "../../../tests/fuzz/src/bodies.rs"]
mod bodies;
#[path = "simulation/stage/rng.rs"]
#[expect(dead_code, reason = "the simulation uses all of it")]
mod rng;

use rng::Rng;
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Instant,
};

#[expect(clippy::disallowed_methods, reason = "a virtual clock has to start somewhere")]
fn epoch() -> Instant {
    Instant::now()
}

/// Runs every input of a corpus, and every prefix of the short ones.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let input = fs::read(entry.unwrap().path()).unwrap();
        run(&input);
        (0..input.len().min(300)).for_each(|len| run(&input[..len]));
        inputs += 1;
    }
    assert!(inputs >= 5, "the corpus of {target} has only {inputs} inputs");
}

/// Runs damaged copies of every input: what a fuzzer would try first, the same in every run.
fn damage(target: &str, run: impl Fn(&[u8])) {
    let copies = if std::env::var_os("POSTERN_TEST_LONG").is_some() { 500_000 } else { 2_000 };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut rng = Rng::new(2);
    for path in paths {
        let input = fs::read(&path).unwrap();
        for copy in 0..copies {
            let damaged = damaged(&input, &mut rng);
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&damaged)));
            assert!(outcome.is_ok(), "copy {copy} of {}: {damaged:02x?}", path.display());
        }
    }
}

/// One to four changes: a flipped bit, an edge value, a cut, a part said twice, bytes from nowhere.
fn damaged(input: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.between(1, 4) {
        let at = rng.index(bytes.len().max(1)).min(bytes.len());
        match rng.below(6) {
            0 | 1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
            2 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = [0, 1, 0x7f, 0x80, 0xff][at % 5]),
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..].iter().copied().take(64).collect::<Vec<_>>();
                bytes.splice(at..at, part);
            }
            _ => {
                let noise = rng.next().to_be_bytes();
                bytes.splice(at..at, noise);
            }
        }
    }
    bytes
}

#[test]
fn t02_the_corpus_of_the_frame_decoder_does_no_harm() {
    replay("frames", bodies::frames);
}

#[test]
fn t02_the_corpus_of_the_handshake_does_no_harm() {
    replay("handshake", |data| bodies::handshake(data, epoch()));
}

#[test]
fn t02_the_corpus_of_the_inventory_does_no_harm() {
    replay("inventory", bodies::inventory);
}

#[test]
fn t02_the_corpus_of_the_intake_does_no_harm() {
    replay("intake", bodies::intake);
}

#[test]
fn t02_the_corpus_of_the_link_does_no_harm() {
    replay("link", |data| bodies::link(data, epoch()));
}

#[test]
fn t02_the_corpus_of_the_stream_records_does_no_harm() {
    replay("records", |data| bodies::records(data, epoch()));
}

#[test]
fn t02_damaged_copies_of_the_corpora_do_no_harm() {
    damage("frames", bodies::frames);
    damage("handshake", |data| bodies::handshake(data, epoch()));
    damage("intake", bodies::intake);
    damage("inventory", bodies::inventory);
    damage("link", |data| bodies::link(data, epoch()));
    damage("records", |data| bodies::records(data, epoch()));
}
