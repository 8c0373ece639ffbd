//! Configurations and keys that stop a start.

use super::SOON;
use anyhow::Result;
use postern_tests::{Gateway, GatewayOptions, Process, postgres, scenario, skipped, tools};
use std::os::unix::fs::PermissionsExt;

#[test]
fn l06_bad_configuration_is_refused_with_every_mistake_at_once() -> Result<()> {
    scenario("l06", |scratch| {
        let file = scratch.join("gateway.toml");
        std::fs::write(
            &file,
            "public_url = \"http://plain.example\"\nstate_dri = \"/tmp\"\n[listen]\nmode = \"tsl\"\n",
        )?;
        let mut check = std::process::Command::new(tools::programs()?.join("postern-gateway"));
        let output = check.args(["check-config", "--config"]).arg(&file).output()?;
        assert_eq!(output.status.code(), Some(78));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        for word in ["https", "state_dri", "state_dir", "tsl", "2", "4"] {
            assert!(text.contains(word), "{word} is not told: {text}");
        }
        Ok(())
    })
}

#[test]
fn a_store_of_an_unknown_newer_schema_stops_the_start_with_78_and_is_left_as_it_is() -> Result<()> {
    scenario("newer-schema", |scratch| {
        let options = GatewayOptions::of_the_run()?;
        if options.store.is_none() && tools::find("python3").is_none() {
            skipped("newer-schema", "nothing on this machine opens the store's file: python3 is missing");
            return Ok(());
        }
        let programs = tools::programs()?;
        let mut gateway = Gateway::start(&programs, &scratch.join("gateway"), &options)?;
        gateway.stop(SOON)?;
        let newest: u32 = in_store(&gateway, "select max(version) from _sqlx_migrations")?.parse()?;
        in_store(&gateway, &format!("update _sqlx_migrations set version = 9999 where version = {newest}"))?;
        for command in ["serve", "migrate"] {
            let mut refused = std::process::Command::new(programs.join("postern-gateway"));
            let refused = refused.arg(command).arg("--config").arg(gateway.configuration()).output()?;
            let told = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(78), "{command}: {told}");
            let known = newest.to_string();
            for word in ["9999", &known, "newer program", "restore a backup"] {
                assert!(told.contains(word), "{command} does not say {word:?}: {told}");
            }
        }
        // Who runs the newer program again finds everything as it was.
        in_store(&gateway, &format!("update _sqlx_migrations set version = {newest} where version = 9999"))?;
        gateway.restart()
    })
}

/// Runs a statement in a gateway's store, past the gateway, and gives what it answers.
fn in_store(gateway: &Gateway, sql: &str) -> Result<String> {
    const EMBEDDED: &str = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db:\n    \
                            print(*[row[0] for row in db.execute(sys.argv[2])])";
    if let Some(url) = gateway.store_url() {
        return postgres::query(url, sql);
    }
    let mut python = tools::command("python3")?;
    let ran = python.args(["-c", EMBEDDED]).arg(gateway.state().join("postern.db")).arg(sql).output()?;
    anyhow::ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Ok(String::from_utf8(ran.stdout)?.trim().to_owned())
}

#[test]
fn l06_a_master_key_that_others_may_read_stops_the_start() -> Result<()> {
    scenario("l06-key", |scratch| {
        let programs = tools::programs()?;
        let mut gateway = Gateway::start(&programs, &scratch.join("gateway"), &GatewayOptions::embedded())?;
        gateway.kill()?;
        let key = gateway.state().join("master.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644))?;
        let mut serve = std::process::Command::new(programs.join("postern-gateway"));
        serve.arg("serve").arg("--config").arg(scratch.join("gateway/gateway.toml"));
        let mut refused = Process::start("refused", serve, scratch.path())?;
        assert_eq!(refused.wait(SOON)?.code(), Some(78), "{}", refused.log());
        assert!(refused.log().contains("master.key") && refused.log().contains("600"), "{}", refused.log());
        Ok(())
    })
}
