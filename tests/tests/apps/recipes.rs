//! The recipes of `docs/identity-headers.md`, as they stand there, against assertions of a real gateway: each knows alice, and nobody
//! by anything less than an assertion of its own.

use crate::support::{headers, one};
use anyhow::{Context, Result};
use postern_tests::apps::{Recipe, RecipeApp, Scene};
use postern_tests::curl::Browser;
use postern_tests::{scenario, skipped};
use std::net::TcpStream;
use std::path::Path;

const NAME: &str = "recipe";

fn try_out(recipe: Recipe) -> Result<()> {
    scenario("apps-recipe", |scratch| {
        let scene = Scene::start(scratch)?;
        let Some(app) = RecipeApp::start(&scene, NAME, recipe, &scratch.join("recipe"))? else {
            let reason = "not on this machine; `cargo xtask test` brings Python, with --long Go";
            skipped(&format!("the recipe {recipe:?}"), reason);
            return Ok(());
        };
        scene.publish(NAME, &app.target(), "{}")?;
        let alice = scene.alice()?;
        let page = alice.visit(&scene.url(NAME, "/"))?.expect(200)?;
        assert!(page.body.contains("Hello alice"), "{}", page.body);

        // Past the gateway, as somebody inside the network could.
        let told = headers(&alice.fetch(&scene.url("alpha", "/headers"))?.expect(200)?.json()?);
        let elsewhere = one(&told, "x-postern-jwt-assertion").context("alpha is told nothing")?;
        let (signed, _) = elsewhere.rsplit_once('.').context("no signature")?;
        let unsigned = "X-Postern-Jwt-Assertion: eyJhbGciOiJub25lIn0.eyJuYW1lIjoiYWxpY2UifQ.";
        let inside = Browser::new(Path::new("/dev/null"), Path::new("/dev/null"));
        for lines in [
            vec![],
            vec!["X-Postern-User: alice"],
            vec![unsigned],
            vec![&*format!("X-Postern-Jwt-Assertion: {elsewhere}")],
            vec![&*format!("X-Postern-Jwt-Assertion: {signed}.{}", "A".repeat(86))],
        ] {
            let answer = inside.send(&format!("http://{}/", app.target()), &lines, None)?;
            assert_eq!(answer.status, 401, "{lines:?}: {}", answer.body);
        }
        let target = app.target();
        drop(app);
        assert!(TcpStream::connect(&target).is_err(), "a process of the recipe is left at {target}");
        Ok(())
    })
}

#[test]
fn the_flask_recipe_knows_alice_by_an_assertion_of_its_own_and_nothing_less() -> Result<()> {
    try_out(Recipe::Flask)
}

#[test]
fn the_fastapi_recipe_knows_alice_by_an_assertion_of_its_own_and_nothing_less() -> Result<()> {
    try_out(Recipe::FastApi)
}

#[test]
fn the_express_recipe_knows_alice_by_an_assertion_of_its_own_and_nothing_less() -> Result<()> {
    try_out(Recipe::Express)
}

#[test]
fn the_go_recipe_knows_alice_by_an_assertion_of_its_own_and_nothing_less() -> Result<()> {
    try_out(Recipe::Go)
}
