//! Host keys: learned by a probe, confirmed by an owner, checked by everybody's ssh.

use crate::SOON;
use anyhow::{Context, Result};
use postern_tests::{Ran, World, scenario, tools, until};

#[test]
fn host_keys_are_learned_by_a_probe_confirmed_by_an_owner_and_checked_by_everybodys_ssh() -> Result<()> {
    scenario("host-keys", |scratch| {
        let world = World::start(scratch)?;
        world.owner.apply(
            "kind: grant\nname: owners-reach-office\nsubjects: [{group: owners}]\nresources: {site: office}\nactions: [connect]\n",
        )?.expect(0)?;
        let ssh = || -> Result<Ran> {
            let mut postern =
                world.alice.postern(&["ssh", &format!("{}@bastion", world.sshd.user()), "--", "-F", "none"]);
            postern.arg("-i").arg(world.sshd.user_key()).args([
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=yes",
            ]);
            postern.args(["-o", "UserKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "echo", "known"]);
            Ok(postern.output()?.into())
        };
        assert_eq!(ssh()?.code, 255, "nobody vouches for the host yet");
        let key = world.sshd.host_key()?;
        let probed = world.owner.json(&["host-keys", "probe", "bastion"])?;
        assert_eq!(probed.as_array().map(Vec::len), Some(1), "{probed}");
        assert_eq!(
            (probed[0]["key"].as_str(), probed[0]["confirmed"].as_bool()),
            (Some(key.as_str()), Some(false))
        );
        assert_eq!(ssh()?.code, 255, "a key that was only seen counts for nobody");
        world.alice.run(&["host-keys", "probe", "bastion"])?.expect(77)?;

        world.owner.run(&["host-keys", "confirm", "bastion", "SHA256:AAAA"])?.expect(69)?;
        let listed =
            tools::command("ssh-keygen")?.arg("-lf").arg(scratch.join("sshd/host_key.pub")).output()?;
        let listed = String::from_utf8(listed.stdout)?;
        let fingerprint = listed.split(' ').nth(1).context("a fingerprint")?;
        let confirmed = world.owner.run(&["host-keys", "confirm", "bastion", fingerprint])?.expect(0)?;
        assert!(confirmed.stdout.contains(fingerprint), "{}", confirmed.stdout);
        until("the confirmed key at alice's ssh", SOON, || ssh().is_ok_and(|ran| ran.code == 0))?;
        assert_eq!(ssh()?.expect(0)?.stdout, "known\n");
        Ok(())
    })
}
