//! Which test programs run, on which store, in which order.

use super::program::{self, Setting};
use crate::build::TestProgram;
use crate::outcome::{Count, Run};
use anyhow::{Context, Result};
use postern_tests::Postgres;
use std::time::Duration;

/// What the caller asked for.
pub(crate) struct Selection {
    /// The larger forms too.
    pub(crate) long: bool,
    /// Only tests whose name contains this.
    pub(crate) only: Option<String>,
}

/// The crate of the end-to-end tests.
const END_TO_END: &str = "postern-tests";

/// The end-to-end programs that run on SQLite as well as on Postgres.
const ON_BOTH_STORES: &[&str] = &["journeys"];

/// No program of unit tests needs longer, on two busy cores.
const UNIT_DEADLINE: Duration = Duration::from_secs(300);

/// The longest end-to-end program waits out real deadlines of the product.
const END_TO_END_DEADLINE: Duration = Duration::from_secs(480);

/// The larger forms may take this long each.
const LONG_DEADLINE: Duration = Duration::from_secs(3600);

/// Journeys wait for processes more than they compute; more of them at once than cores, but not so many that a bar of one second
/// is missed for want of a core.
const END_TO_END_THREADS: &str = "3";

/// Runs all of them; the Postgres server lives exactly as long as this call.
pub(crate) fn run(run: &mut Run, programs: &[TestProgram], selection: &Selection) {
    let mut server = None;
    run.part("Postgres, started for this run", || {
        let started = Postgres::start()?;
        let note = started.version()?;
        server = Some(started);
        Ok(Count { note, ..Count::one() })
    });
    let Some(server) = server else { return };
    let url = server.url("postgres");
    for program in programs.iter().filter(|program| program.package != END_TO_END || program.kind == "lib") {
        // Each contract test makes a database of its own, so it is given the server and no database.
        let on_server = [("POSTERN_TEST_POSTGRES", server.url(""))];
        let setting = setting(selection, &on_server, UNIT_DEADLINE, "");
        part(run, program, &setting, &format!("{} {}", program.package, described(program)));
    }
    let threads = ("RUST_TEST_THREADS", END_TO_END_THREADS.to_owned());
    let store = |name: &str| ("POSTERN_TEST_STORE", name.to_owned());
    for program in programs.iter().filter(|program| program.package == END_TO_END && program.kind == "test") {
        let on_postgres = [("POSTERN_TEST_POSTGRES", url.clone()), store("postgres"), threads.clone()];
        let setting_postgres = setting(selection, &on_postgres, END_TO_END_DEADLINE, "postgres");
        part(run, program, &setting_postgres, &format!("end to end: {} (Postgres)", program.target));
        if ON_BOTH_STORES.contains(&program.target.as_str()) {
            let on_sqlite = [store("sqlite"), threads.clone()];
            let setting_sqlite = setting(selection, &on_sqlite, END_TO_END_DEADLINE, "sqlite");
            part(run, program, &setting_sqlite, &format!("end to end: {} (SQLite)", program.target));
        }
    }
    run.part("Postgres, stopped", || {
        server.stop().context("stop Postgres")?;
        Ok(Count::one())
    });
}

fn part(run: &mut Run, program: &TestProgram, setting: &Setting, name: &str) {
    run.part(name, || -> Result<Count> { program::run(program, setting) });
}

fn setting(
    selection: &Selection,
    environment: &[(&'static str, String)],
    deadline: Duration,
    label: &'static str,
) -> Setting {
    let mut environment = environment.to_vec();
    if selection.long {
        environment.push(("POSTERN_TEST_LONG", "1".to_owned()));
    }
    Setting {
        environment,
        filter: selection.only.clone(),
        deadline: if selection.long { LONG_DEADLINE } else { deadline },
        label,
    }
}

fn described(program: &TestProgram) -> String {
    match program.kind.as_str() {
        "lib" => "(library)".to_owned(),
        "bin" => format!("(program {})", program.target),
        kind => format!("({kind} {})", program.target),
    }
}
