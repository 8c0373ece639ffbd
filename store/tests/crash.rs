//! F34: a process killed in the middle of writing loses nothing that it had acknowledged.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "support/permits.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the tests inside of the crate")]
mod permits;

use permits::Scene;
use postern_ids::{NodeId, SiteId, Timestamp};
use postern_policy::model::Site;
use postern_store::{
    Actor, AuditVerdict, Database, Expect, Store, StoreConfig,
    journal::{Journal, SessionFacts},
};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Tells the child where to work.
const DIRECTORY: &str = "POSTERN_TEST_CRASH_DIRECTORY";

fn config(dir: &Path) -> StoreConfig {
    StoreConfig {
        database: Database::Sqlite { path: dir.join("postern.db") },
        master_key_file: dir.join("master.key"),
        previous_master_key_files: Vec::new(),
        migrate: true,
    }
}

fn node() -> NodeId {
    NodeId::mint(NOW, [1; 10])
}

/// Says what it was told is durable, for ever. Only a child of the test below has the directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return };
    let dir = Path::new(&dir);
    let store = Store::open(config(dir), NOW).await.unwrap();
    let (journal, _) = Journal::open(&dir.join("journal"), node()).unwrap();
    let records = tokio::spawn(async move {
        let scene = Scene::new(NOW);
        loop {
            let facts = SessionFacts { ingress: "client", connector: None, generation: 0, at: NOW };
            let sequence = journal.record(scene.permit(), facts).await.unwrap().sequence();
            say(&format!("recorded {sequence}"));
        }
    });
    let changes = tokio::spawn(async move {
        loop {
            let mut change = store.change(Actor::system("test"), NOW).await.unwrap();
            let id = SiteId::mint(NOW, rand::random());
            let name = id.to_string().replace('_', "-").parse().unwrap();
            change.put(&Site { id, name }, Expect::New).await.unwrap();
            change.commit().await.unwrap();
            say(&format!("committed {id}"));
        }
    });
    let _ = tokio::join!(records, changes);
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

/// Runs the child until it said this many lines, kills it, and gives the lines.
fn run_and_kill(dir: &Path, lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said: Vec<String> = out.by_ref().take(lines).map(Result::unwrap).collect();
    // SIGKILL, at whatever it is doing.
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before it died counts as well.
    said.extend(out.map_while(Result::ok));
    said
}

#[tokio::test]
async fn f34_a_process_killed_in_the_middle_of_writing_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut committed, mut recorded) = (Vec::new(), 0);
    // `cargo xtask test --long` kills it more often.
    let rounds = if std::env::var_os("POSTERN_TEST_LONG").is_some() { 100 } else { 5 };
    for round in 0..rounds {
        for line in run_and_kill(dir.path(), 40 + 17 * (round % 20)) {
            match line.split_once(' ') {
                Some(("committed", id)) => committed.push(id.parse::<SiteId>().unwrap()),
                Some(("recorded", sequence)) => recorded = sequence.parse::<u64>().unwrap(),
                _ => {}
            }
        }
        let store = Store::open(config(dir.path()), NOW).await.unwrap();
        for id in &committed {
            assert!(store.find::<Site>(id).await.unwrap().is_some(), "round {round}: {id} is lost");
        }
        let AuditVerdict::Whole { records } = store.verify_audit("store").await.unwrap() else {
            unreachable!("round {round}: the audit is broken")
        };
        // One line for each site and one for the seed: a change is there with its audit line or not at all.
        assert_eq!(records, store.all::<Site>().await.unwrap().len() as u64 + 1);
        store.close().await;
        let (journal, report) = Journal::open(&dir.path().join("journal"), node()).unwrap();
        assert!(report.last_sequence >= recorded, "round {round}: {recorded} was acknowledged");
        journal.close();
    }
    assert!(committed.len() > 10 && recorded > 10);
}

/// How the manual says that an embedded store is copied while it is in use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f34_a_copy_that_is_made_while_changes_are_written_opens_whole() {
    use sqlx::Connection;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(config(dir.path()), NOW).await.unwrap();
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0_u32.. {
                let mut change = store.change(Actor::system("test"), NOW).await?;
                for part in ["a", "b"] {
                    let (id, name) =
                        (SiteId::mint(NOW, rand::random()), format!("{part}{n}").parse().unwrap());
                    change.put(&Site { id, name }, Expect::New).await?;
                }
                change.commit().await?;
            }
            Ok::<_, postern_store::ChangeError>(())
        })
    };
    for round in 0..5 {
        while store.all::<Site>().await.unwrap().len() < 20 * (round + 1) {
            tokio::task::yield_now().await;
        }
        let acknowledged = store.all::<Site>().await.unwrap().len();
        let copied = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("postern.db").display());
        let mut sqlite = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let backup = format!("VACUUM INTO '{}'", copied.path().join("postern.db").display());
        sqlx::query(sqlx::AssertSqlSafe(backup)).execute(&mut sqlite).await.unwrap();
        sqlite.close().await.unwrap();
        std::fs::copy(dir.path().join("master.key"), copied.path().join("master.key")).unwrap();

        let copy = Store::open(config(copied.path()), NOW).await.unwrap();
        let sites = copy.all::<Site>().await.unwrap().len();
        assert!(sites >= acknowledged && sites % 2 == 0, "round {round}: {sites}, {acknowledged} were there");
        let audit = copy.verify_audit("store").await.unwrap();
        assert_eq!(audit, AuditVerdict::Whole { records: sites as u64 + 1 }, "round {round}");
        copy.close().await;
    }
    writer.abort();
    store.close().await;
}
