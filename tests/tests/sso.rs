//! Signing in at the company's identity provider, with a real one: people come and go there, and so do their rights here.

use anyhow::{Context, Result};
use postern_tests::apps::Scene;
use postern_tests::{Client, GatewayOptions, Idp, Scratch, World, scenario, tools, until};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
const LINK: &str = "/oidc/example/start";
const CAROL: (&str, &str) = ("carol", "pw");

/// A world with a provider that knows carol, who is in its group `eng`.
fn world(scratch: &Scratch) -> Result<(World, Idp)> {
    let world = World::start_with(scratch, &GatewayOptions::of_the_run()?)?;
    let people = json!({
        "carol": {
            "password": CAROL.1, "groups": ["eng"], "name": "Carol Example",
            "email": "carol@example.com", "email_verified": true,
        },
        "dave": { "password": "pw", "groups": [], "email": "dave@example.com", "email_verified": false },
    });
    let (gateway, authority) = (world.gateway.url().to_owned(), world.gateway.authority());
    let idp = Idp::start(&scratch.join("idp"), &gateway, "example", &authority, &people)?;
    world.owner.write_secret("idp.secret", postern_tests::idp::CLIENT.1)?;
    world.owner.apply(&idp.document("example")?)?.expect(0)?;
    Ok((world, idp))
}

fn person(scratch: &Scratch, name: &str) -> Result<Client> {
    Client::new(&tools::programs()?, &scratch.join(name))
}

#[test]
fn people_of_the_provider_reach_what_their_groups_may_and_lose_it_when_it_signs_them_out() -> Result<()> {
    scenario("sso", |scratch| {
        let (world, idp) = world(scratch)?;
        let carol = person(scratch, "carol")?;
        carol.sign_in_through(&world.gateway, &idp, LINK, CAROL)?;
        let me = carol.json(&["whoami"])?;
        assert_eq!(me["principal"]["name"], "carol", "{me}");
        carol.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        let mut held = world.hold(&carol, scratch.path(), "bastion")?;
        until("the session", SOON, || world.live_sessions().is_ok_and(|live| !live.is_empty()))?;
        // O11: back-channel logout ends the command's sign-in and cuts what it holds.
        let told = idp.order("/logout", &json!({ "person": "carol" }))?;
        assert_eq!(told["told"], 1, "{told}");
        let status = held.wait(SOON)?;
        assert_eq!(status.code(), Some(77), "{}", held.log());
        assert_eq!(carol.ssh(&world.sshd, "bastion", "true")?.code, 255);
        Ok(())
    })
}

#[test]
fn o06_who_was_announced_by_e_mail_is_bound_once_and_only_to_a_verified_address() -> Result<()> {
    scenario("sso-announced", |scratch| {
        let (world, idp) = world(scratch)?;
        let announced = "kind: user\nname: the-carol\nprovider: example\nemail: Carol@Example.com\n---\n\
                         kind: user\nname: the-dave\nprovider: example\nemail: dave@example.com\n";
        world.owner.apply(announced)?.expect(0)?;
        let carol = person(scratch, "carol")?;
        carol.sign_in_through(&world.gateway, &idp, LINK, CAROL)?;
        assert_eq!(carol.json(&["whoami"])?["principal"]["name"], "the-carol");
        // dave's address is not verified: he is somebody new, without any right.
        let dave = person(scratch, "dave")?;
        dave.sign_in_through(&world.gateway, &idp, LINK, ("dave", "pw"))?;
        assert_ne!(dave.json(&["whoami"])?["principal"]["name"], "the-dave");
        dave.run(&["proxy", "bastion"])?.expect(77)?;
        // Again, under the same subject: the same person, whatever became of the address.
        idp.order("/people", &json!({ "carol": { "email": "other@example.com" } }))?;
        carol.sign_in_through(&world.gateway, &idp, LINK, CAROL)?;
        assert_eq!(carol.json(&["whoami"])?["principal"]["name"], "the-carol");
        Ok(())
    })
}

/// Opens only to whom the provider says that it checked more than a password.
const STRONG: &str = "kind: policy\nname: alpha-wants-more\ntext: |\n  forbid (principal is User, action == Action::\"http\", \
                      resource == Resource::\"alpha\")\n  unless { context.acr.contains(\"urn:test:mfa\") };\n";

#[test]
fn an_application_that_asks_for_a_word_of_the_provider_opens_after_a_step_up() -> Result<()> {
    scenario("sso-step-up", |scratch| {
        let scene = Scene::start(scratch)?;
        let people = json!({ "carol": { "password": CAROL.1, "groups": ["eng"], "name": "carol" } });
        let (gateway, authority) = (scene.gateway().url().to_owned(), scene.gateway().authority());
        let idp = Idp::start(&scratch.join("idp"), &gateway, "example", &authority, &people)?;
        scene.world.owner.write_secret("idp.secret", postern_tests::idp::CLIENT.1)?;
        scene.world.owner.apply(&idp.document("example")?)?.expect(0)?;
        scene.world.owner.apply(STRONG)?.expect(0)?;
        let carol = scene.visitor("carol", CAROL)?.through(&idp, LINK)?;
        carol.visit(&scene.url("beta", "/"))?.expect(200)?;
        let deep = scene.url("alpha", "/deep?x=1");
        let denied = carol.visit(&deep)?.expect(403)?;
        let (_, link) = denied.body.split_once("href=\"/.postern/sign-in?").context("no way on")?;
        let (query, _) = link.split_once('"').context("no end of the link")?;
        let query = query.replace("&amp;", "&");
        assert!(query.contains("acr=urn%3Atest%3Amfa"), "{query}");
        assert_eq!(scene.app.seen()?, ["GET /"], "nothing at alpha before");
        let before = idp.order("/count", &json!({ "path": "/auth" }))?["count"].clone();
        let arrived = carol.visit(&scene.url("alpha", &format!("/.postern/sign-in?{query}")))?;
        assert_eq!(arrived.at, deep);
        arrived.expect(200)?;
        assert_ne!(
            idp.order("/count", &json!({ "path": "/auth" }))?["count"],
            before,
            "the provider was asked"
        );
        // The stronger sign-in is everywhere the one that counts, and is not asked for again.
        carol.visit(&scene.url("beta", "/"))?.expect(200)?;
        carol.visit(&deep)?.expect(200)?;
        let me = carol.fetch(&scene.url("alpha", "/.postern/whoami"))?.expect(200)?.json()?;
        assert_eq!(me["name"], "carol");
        Ok(())
    })
}
