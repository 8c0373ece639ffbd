//! Changes that a gateway is not told of: it finds them by its poll (F10), and what was read before a gap counts no more (D6).

use crate::database::through_proxy;
use crate::support::{SOON, echo, hold, proxied, proxied_to, round_trip};
use anyhow::{Context, Result};
use postern_tests::{
    Client, FaultPath, FaultProxy, Gateway, GatewayOptions, Manner, Postgres, Scratch, Target, Way, World,
    postgres, scenario, tools, until, world,
};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Rights that are taken one by one, each when the one before is gone, and as many more without waiting for any.
const TAKEN: usize = 12;
/// What a change may take where only the poll is left.
const BY_POLL: Duration = Duration::from_secs(2);
/// What a command of a busy machine adds.
const COMMAND: Duration = Duration::from_secs(1);

const BOB: (&str, &str) = ("bob", "a long pass phrase for bob");

#[test]
fn f10_no_change_is_missed_where_a_silently_lost_listener_leaves_only_the_poll() -> Result<()> {
    scenario("f10", |scratch| {
        let scene = Scene::start(scratch)?;
        let world = &scene.world;
        world.revoke_engineers()?;
        let targets: Vec<Target> =
            (0..TAKEN).map(|_| Target::start(Manner::Echo)).collect::<Result<Vec<_>>>()?;
        let mut documents = String::new();
        for (n, target) in targets.iter().enumerate() {
            writeln!(
                documents,
                "kind: resource\nname: echo-{n}\nsite: office\ntype: tcp\ntarget: {}\n---\n{}---",
                target.address(),
                grant(n)
            )?;
        }
        world.owner.apply(&documents)?.expect(0)?;
        let mut held = Vec::new();
        for (n, target) in targets.iter().enumerate() {
            let one = world.hold(&world.alice, scratch.path(), &format!("echo-{n}"))?;
            until("the session at its target", SOON, || target.open() == 1).with_context(|| one.log())?;
            held.push(one);
        }
        scene.proxy.silence_whoever_said("LISTEN");
        let other = scene.second_gateway(scratch)?;
        let take = |n: usize| -> Result<Instant> {
            other.owner.apply(&format!("kind: absent\nobject: grant\nname: reach-{n}\n"))?.expect(0)?;
            Ok(Instant::now())
        };
        let is_cut_in_time = |n: usize, taken: Instant| -> Result<()> {
            until("the cut at the target", SOON, || targets[n].open() == 0)?;
            let took = targets[n].last_end().context("it ended")?.saturating_duration_since(taken);
            anyhow::ensure!(took <= BY_POLL, "change {n} took {took:?} with the poll alone");
            Ok(())
        };
        for n in 0..TAKEN / 2 {
            is_cut_in_time(n, take(n)?)?;
            let alive = targets.iter().filter(|target| target.open() == 1).count();
            assert_eq!(alive, TAKEN - n - 1, "nobody else's session ended");
        }
        let taken = (TAKEN / 2..TAKEN).map(|n| Ok((n, take(n)?))).collect::<Result<Vec<_>>>()?;
        for (n, taken) in taken {
            is_cut_in_time(n, taken)?;
        }
        // Rights that are given are no more missed than those that are taken.
        for n in 0..TAKEN / 4 {
            other.owner.apply(&grant(n))?.expect(0)?;
            let name = format!("echo-{n}");
            let reaches = || proxied_to(&world.alice, &name, b"ping").is_ok_and(|ran| ran.stdout == "ping");
            let took = until("the right in force", SOON, reaches)?;
            assert!(took <= BY_POLL + COMMAND, "{took:?} until {name} could be reached");
        }
        let stored: f64 = scene.in_store("select revision from meta")?.parse()?;
        until("the last revision in force", BY_POLL, || {
            world.gateway.metric("postern_policy_revision").is_ok_and(|revision| revision >= stored)
        })?;
        scene.server.stop()
    })
}

#[test]
fn d06_whose_groups_changed_in_a_gap_of_the_feed_is_decided_by_the_new_ones() -> Result<()> {
    scenario("d06", |scratch| {
        let scene = Scene::start(scratch)?;
        let world = &scene.world;
        world.owner.write_secret("bob.password", BOB.1)?;
        let bob = "kind: user\nname: bob\ngroups: [engineers]\npassword: {fromFile: bob.password}\n";
        world.owner.apply(bob)?.expect(0)?;
        let bob = Client::new(&tools::programs()?, &scratch.join("bob"))?;
        bob.sign_in_with_browser(&world.gateway, BOB.0, BOB.1)?;
        let target = echo(world)?;
        let mut alices = hold(world, scratch.path(), &target)?;
        let mut bobs = world.hold(&bob, &scratch.directory("bobs")?, "echo")?;
        until("both sessions at the target", SOON, || target.open() == 2).with_context(|| bobs.log())?;
        let other = scene.second_gateway(scratch)?;

        // While the first gateway hears nothing, alice leaves the engineers, and the list of changes is cleaned away.
        scene.proxy.set(Way::Both, FaultPath::blocked());
        other.owner.apply("kind: user\nname: alice\ngroups: []\n")?.expect(0)?;
        scene.in_store("delete from changes")?;
        round_trip(&world.alice).context("what was known of alice still counts in the dark")?;
        scene.proxy.heal();

        until("the end of alice's session at the target", SOON, || target.open() == 1)?;
        assert_eq!(alices.wait(SOON)?.code(), Some(77), "{}", alices.log());
        let refused = proxied(&world.alice, b"ping")?;
        assert_eq!(refused.code, 77, "{}", refused.stderr);
        assert!(bobs.is_running(), "{}", bobs.log());
        round_trip(&bob)?;
        until("bob's session alone", SOON, || target.open() == 1)?;
        scene.server.stop()
    })
}

/// One gateway that reaches its Postgres through a proxy, and Postgres itself.
struct Scene {
    server: Postgres,
    proxy: FaultProxy,
    world: World,
}

/// Another gateway on the same store, with a way to it of its own, and the owner signed in there.
struct Other {
    owner: Client,
    _gateway: Gateway,
}

impl Scene {
    fn start(scratch: &Scratch) -> Result<Self> {
        let server = Postgres::start()?;
        let proxy = FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port())), 0)?;
        let world = through_proxy(scratch, &server, &proxy)?;
        Ok(Self { server, proxy, world })
    }

    /// The address of the store, past the proxy.
    fn store(&self) -> Result<String> {
        let url = self.world.gateway.store_url().context("a store on Postgres")?;
        Ok(self.server.url(url.rsplit('/').next().context("a database")?))
    }

    fn in_store(&self, sql: &str) -> Result<String> {
        postgres::query(&self.store()?, sql)
    }

    fn second_gateway(&self, scratch: &Scratch) -> Result<Other> {
        let master_key = Some(self.world.gateway.master_key());
        let options = GatewayOptions { store: Some(self.store()?), master_key, ..GatewayOptions::default() };
        let gateway = Gateway::start(&tools::programs()?, &scratch.join("other"), &options)?;
        let owner = Client::new(&tools::programs()?, &scratch.join("remote"))?;
        owner.sign_in_with_browser(&gateway, world::OWNER.0, world::OWNER.1)?;
        Ok(Other { owner, _gateway: gateway })
    }
}

/// What lets engineers reach one of the targets.
fn grant(n: usize) -> String {
    format!(
        "kind: grant\nname: reach-{n}\nsubjects: [{{group: engineers}}]\nresources: {{names: [echo-{n}]}}\n\
         actions: [connect]\n"
    )
}
