//! Configurations and keys that stop a start.

use super::SOON;
use anyhow::Result;
use postern_tests::{Gateway, GatewayOptions, Process, scenario, tools};
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
