//! Tests that this machine cannot run say so.

use std::io::Write;

/// Says why a test is left out, past the capture of the test program, so that a reader of the run sees it.
pub fn skipped(test: &str, reason: &str) {
    // A run whose standard error is gone is read by nobody.
    let _ = writeln!(std::io::stderr().lock(), "skipped: {test}: {reason}");
}
