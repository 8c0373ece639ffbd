//! Names that a shell or ssh would obey.

use anyhow::Result;
use postern_tests::{World, scenario, tools};

#[test]
fn s02_names_that_a_shell_or_ssh_would_obey_are_refused_as_wrong_usage() -> Result<()> {
    scenario("s02", |scratch| {
        let world = World::start(scratch)?;
        let proof = scratch.join("proof");
        for name in [
            format!("`touch {}`", proof.display()),
            format!("$(touch {})", proof.display()),
            "bastion\ntouch".to_owned(),
            "-oProxyCommand=touch".to_owned(),
            "bastion;id".to_owned(),
            "bas tion".to_owned(),
        ] {
            for verb in ["proxy", "ssh"] {
                let ran = world.alice.run(&[verb, "--", &name])?;
                assert_eq!(ran.code, 64, "{verb} {name:?}: {}", ran.stderr);
                assert_eq!(ran.stdout, "");
            }
        }
        assert!(!proof.exists());
        Ok(())
    })
}

#[test]
fn s02_stock_ssh_runs_nothing_of_what_somebody_types_for_a_host_or_a_user() -> Result<()> {
    scenario("s02-ssh", |scratch| {
        let world = World::start(scratch)?;
        let (proof, file) = (scratch.join("proof"), scratch.join("generated"));
        let file = file.display().to_string();
        world.alice.run(&["ssh-config", "--file", &file])?.expect(0)?;
        let generated = std::fs::read_to_string(&file)?;
        let calls: Vec<&str> = generated.lines().filter(|line| line.contains("Command ")).collect();
        assert!(!calls.is_empty() && calls.iter().all(|line| line.contains(" -- ")), "{generated}");
        assert!(calls.iter().all(|line| !line.contains(['%', '`', '$'])), "{generated}");
        let touch = format!("touch${{IFS}}{}", proof.display());
        for typed in [
            format!("`{touch}`@bastion.postern"),
            format!("$({touch})@bastion.postern"),
            format!("x;{touch}@bastion.postern"),
            format!("x\n{touch}@bastion.postern"),
            format!("`{touch}`.postern"),
            format!("$({touch}).postern"),
            format!("-oProxyCommand={touch}"),
        ] {
            let mut ssh = tools::command("ssh")?;
            ssh.args(["-F", &file, "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "--", &typed, "true"]);
            let ran = ssh.env("HOME", world.alice.home()).output()?;
            assert!(!ran.status.success(), "{typed:?}: {}", String::from_utf8_lossy(&ran.stdout));
        }
        assert!(!proof.exists(), "ssh ran what was typed");
        Ok(())
    })
}
