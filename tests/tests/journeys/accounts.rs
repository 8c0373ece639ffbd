//! Accounts, sign-ins and who administers.

use anyhow::Result;
use postern_tests::world::{ALICE, OWNER};
use postern_tests::{Client, World, scenario, tools};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn the_bootstrap_token_works_once_and_only_for_its_reader() -> Result<()> {
    scenario("bootstrap", |scratch| {
        let world = World::start(scratch)?;
        let mallory = Client::new(&tools::programs()?, &scratch.join("mallory"))?;
        let gone = !world.gateway.bootstrap_file().exists();
        if !gone {
            let mode = std::fs::metadata(world.gateway.bootstrap_file())?.permissions().mode() & 0o777;
            assert_eq!(mode, 0o600);
            let again = mallory.bootstrap(&world.gateway, "mallory", "a long pass phrase for mallory")?;
            assert_eq!(again.code, 77, "a second owner, or a reason to try again: {}", again.stderr);
        }
        let whoami = world.owner.run(&["whoami"])?.expect(0)?;
        assert!(whoami.stdout.contains(OWNER.0), "{}", whoami.stdout);
        assert!(!world.gateway.log().contains(OWNER.1), "a password in the log");
        Ok(())
    })
}

#[test]
fn a_person_signs_in_on_another_device() -> Result<()> {
    scenario("device-flow", |scratch| {
        let world = World::start(scratch)?;
        let bob = Client::new(&tools::programs()?, &scratch.join("bob"))?;
        bob.sign_in(&world.gateway, ALICE.0, ALICE.1)?;
        assert!(bob.run(&["whoami"])?.expect(0)?.stdout.contains(ALICE.0));
        let token_files = world.alice.home().join("postern");
        for file in files_below(&token_files)? {
            let mode = std::fs::metadata(&file)?.permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.display());
        }
        Ok(())
    })
}

#[test]
fn signing_out_ends_the_sign_in_for_good() -> Result<()> {
    scenario("logout", |scratch| {
        let world = World::start(scratch)?;
        let stolen = scratch.join("stolen");
        copy_tree(&world.alice.home().join("postern"), &stolen.join("postern"))?;
        world.alice.run(&["logout"])?.expect(0)?;
        assert_eq!(world.alice.run(&["ls"])?.code, 77);
        let thief = Client::new(&tools::programs()?, &scratch.join("thief"))?;
        copy_tree(&stolen.join("postern"), &thief.home().join("postern"))?;
        let ran = thief.run(&["ls"])?;
        assert_eq!(ran.code, 77, "a copied sign-in outlived the sign-out: {}", ran.stdout);
        Ok(())
    })
}

#[test]
fn applying_the_same_documents_again_changes_nothing() -> Result<()> {
    scenario("apply", |scratch| {
        let world = World::start(scratch)?;
        let before = world.owner.json(&["get", "grants"])?;
        let more = "kind: group\nname: auditors\n";
        let file = scratch.join("more.yaml");
        std::fs::write(&file, more)?;
        let path = file.display().to_string();
        world.owner.run(&["apply", "-f", &path, "--dry-run"])?.expect(0)?;
        assert!(
            !world.owner.run(&["get", "groups"])?.expect(0)?.stdout.contains("auditors"),
            "a dry run wrote"
        );
        world.owner.run(&["apply", "--yes", "-f", &path])?.expect(0)?;
        assert!(world.owner.run(&["get", "groups"])?.expect(0)?.stdout.contains("auditors"));
        world.owner.run(&["apply", "--yes", "-f", &path])?.expect(0)?;
        assert_eq!(world.owner.json(&["get", "grants"])?, before);
        // All or nothing: the second document is wrong, so the first is not made.
        let broken =
            "kind: group\nname: half\n---\nkind: resource\nname: r\nsite: nowhere\ntype: tcp\ntarget: h:1\n";
        assert_ne!(world.owner.apply(broken)?.code, 0);
        assert!(!world.owner.run(&["get", "groups"])?.stdout.contains("half"));
        Ok(())
    })
}

#[test]
fn only_owners_administer() -> Result<()> {
    scenario("only-owners", |scratch| {
        let world = World::start(scratch)?;
        assert_eq!(world.alice.apply("kind: group\nname: mine\n")?.code, 77);
        assert_eq!(world.alice.run(&["users", "disable", "olivia"])?.code, 77);
        assert!(!world.owner.run(&["get", "groups"])?.expect(0)?.stdout.contains("mine"));
        Ok(())
    })
}

fn files_below(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files_below(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    let status = tools::command("cp")?.args(["-a"]).arg(from.join(".")).arg(to).status()?;
    anyhow::ensure!(status.success(), "cp ended with {status}");
    Ok(())
}
