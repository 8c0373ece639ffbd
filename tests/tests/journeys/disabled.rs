//! A person who is locked out: everything that they hold ends at its target within a second, and nothing else does.

use crate::connections::Connections;
use crate::proofs::Proofs;
use crate::{CUT_WITHIN, SOON};
use anyhow::{Context, Result};
use postern_tests::apps::{Scene, Visitor};
use postern_tests::world::ALICE;
use postern_tests::{Client, Scratch, eventually, scenario, tools};
use std::path::PathBuf;
use std::time::Instant;

const BOB: (&str, &str) = ("bob", "a long pass phrase for bob");

/// An engineer at their desk: with the command, and with a browser.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
    pub(crate) client: Client,
    pub(crate) visitor: Visitor,
    pub(crate) directory: PathBuf,
}

impl Person {
    fn at_work(
        scene: &Scene,
        scratch: &Scratch,
        (name, password): (&'static str, &'static str),
    ) -> Result<Self> {
        let directory = scratch.directory(&format!("{name}-at-work"))?;
        let client = Client::new(&tools::programs()?, &directory.join("home"))?;
        client.sign_in_with_browser(scene.gateway(), name, password)?;
        let visitor = scene.visitor(name, (name, password))?;
        visitor.visit(&scene.url("alpha", "/"))?.expect(200)?;
        Ok(Self { name, password, client, visitor, directory })
    }
}

#[test]
fn disabling_a_person_ends_all_they_hold_within_a_second_and_enabling_revives_nothing() -> Result<()> {
    scenario("disable", |scratch| {
        let scene = Scene::start(scratch)?;
        scene.world.owner.write_secret("bob.password", BOB.1)?;
        let document = "kind: user\nname: bob\ngroups: [engineers]\npassword: {fromFile: bob.password}\n";
        scene.world.owner.apply(document)?.expect(0)?;
        let (alice, bob) = (Person::at_work(&scene, scratch, ALICE)?, Person::at_work(&scene, scratch, BOB)?);
        let (app_token, bobs_app_token) = (Proofs::app_token(&alice)?, Proofs::app_token(&bob)?);
        let connections = Connections::open(&scene, &alice, &app_token)?;
        let mut others = Connections::open(&scene, &bob, &bobs_app_token)?;
        let proofs = Proofs::collect(&scene, &alice, app_token)?;
        let others_proofs = Proofs::collect(&scene, &bob, bobs_app_token)?;
        assert_eq!(connections.gone(&scene.app)?, Vec::<&str>::new());
        // What is good at once, so that being refused later means something.
        proofs.expect_lasting_ones_good(&scene)?;

        scene.world.owner.run(&["users", "disable", alice.name])?.expect(0)?;
        let answered = Instant::now();
        let all_gone =
            || connections.gone(&scene.app).ok().filter(|gone| gone.len() == connections.names().len());
        eventually("the end of each connection at its target", SOON, all_gone)
            .with_context(|| format!("gone: {:?}", connections.gone(&scene.app)))?;
        let took = answered.elapsed();
        assert!(took <= CUT_WITHIN, "{took:?} after the answer of `users disable`");
        proofs.expect_all_refused(&scene).context("disabled")?;

        assert_eq!(others.gone(&scene.app)?, Vec::<&str>::new(), "somebody else's");
        scene.world.owner.run(&["users", "enable", alice.name])?.expect(0)?;
        let anew = Client::new(&tools::programs()?, &scratch.join("alice-anew"))?;
        anew.sign_in_with_browser(scene.gateway(), ALICE.0, ALICE.1)?;
        anew.run(&["ls"])?.expect(0)?;
        proofs.expect_all_refused(&scene).context("enabled again")?;
        connections.expect_dead(&scene.app).context("enabled again")?;

        others.expect_alive(&scene.app).context("somebody else's")?;
        others_proofs.expect_all_good(&scene).context("somebody else's")
    })
}
