//! Replays the committed fuzz corpus with the code of the fuzz targets.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "../../../tests/fuzz/src/bodies.rs"]
mod bodies;

use std::{fs, path::Path, time::Instant};

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
