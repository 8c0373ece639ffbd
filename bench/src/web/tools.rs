//! The programs of others that are measured with.

use anyhow::Result;
use postern_tests::tools;

/// Each with the package that it comes in on Debian.
const PROGRAMS: [(&str, &str); 4] =
    [("nginx", "nginx-light"), ("wrk", "wrk"), ("h2load", "nghttp2-client"), ("curl", "curl")];

/// Says what is missing, and how to get it.
pub(crate) fn check() -> Result<()> {
    let missing = || PROGRAMS.iter().filter(|(program, _)| tools::find(program).is_none());
    let (programs, packages): (Vec<_>, Vec<_>) = missing().copied().unzip();
    anyhow::ensure!(
        programs.is_empty(),
        "the http figures need {}, which this machine lacks: apt-get install {}; or name the groups to measure without them",
        programs.join(", "),
        packages.join(" ")
    );
    Ok(())
}
