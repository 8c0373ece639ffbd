//! What a resumable stream does at its edges; the simulation does the rest.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod buffers;
mod endings;
mod resume;
mod scene;
mod transcript;
