//! One person who takes all there is to be had, and what is left for everybody else.

use anyhow::{Context, Result};
use postern_tests::apps::{Endless, Scene, Visitor};
use postern_tests::world::OWNER;
use postern_tests::{Process, scenario, until};
use std::time::Duration;

/// For what takes a moment when the machine is free.
const SOON: Duration = Duration::from_secs(30);
/// Answers without end that one person takes at once.
const GREEDY: usize = 100;
/// What the other asks for.
const ASKED: usize = 300;
/// Both share two busy cores with a hundred transfers: an answer that takes longer than this was kept waiting.
const PROMPT_S: f64 = 0.5;

const GRANT: &str = "kind: grant\nname: olivia-opens-apps\nsubjects: [{user: olivia}]\nresources: {site: office}\n\
                     actions: [http]\n";

/// Asks for a small answer so many times, one after the other: how many seconds each took, shortest first.
fn ask(scene: &Scene, visitor: &Visitor) -> Result<Vec<f64>> {
    let url = format!("{}?[1-{ASKED}]", scene.url("alpha", "/who"));
    let said =
        visitor.curled(&["--output", "/dev/null", "--write-out", "%{http_code} %{time_total}\\n", &url])?;
    let each = said.lines().map(|line| {
        let (status, seconds) = line.split_once(' ').with_context(|| said.clone())?;
        anyhow::ensure!(status == "200", "a request was answered with {line}");
        Ok(seconds.parse()?)
    });
    let mut took = each.collect::<Result<Vec<f64>>>()?;
    anyhow::ensure!(took.len() == ASKED, "{} answers came: {said}", took.len());
    took.sort_by(f64::total_cmp);
    Ok(took)
}

#[test]
fn r01_a_person_who_takes_a_hundred_answers_without_end_leaves_others_theirs() -> Result<()> {
    scenario("apps-r01", |scratch| {
        let scene = Scene::start(scratch)?;
        let endless = Endless::start()?;
        scene.publish("endless", &endless.app.target(), "{}")?;
        scene.world.owner.apply(GRANT)?.expect(0)?;
        let (alice, olivia) = (scene.alice()?, scene.visitor("olivia", OWNER)?);
        alice.visit(&scene.url("endless", "/"))?.expect(200)?;
        olivia.visit(&scene.url("alpha", "/"))?.expect(200)?;
        let alone = ask(&scene, &olivia)?;

        let all = format!("{}?[1-{GREEDY}]", scene.url("endless", "/endless"));
        let most = GREEDY.to_string();
        let greed =
            ["--parallel", "--parallel-immediate", "--parallel-max", &most, "--output", "/dev/null", &all];
        let mut greed = Process::start("greed", alice.curl(&greed)?, alice.home())?;
        until("a hundred answers under way", SOON, || endless.open() == GREEDY)?;
        let beside = ask(&scene, &olivia)?;
        anyhow::ensure!(greed.is_running(), "{}", greed.log());
        assert_eq!(endless.open(), GREEDY, "nobody was cut off for another");

        let slow = beside.iter().filter(|seconds| **seconds > PROMPT_S).count();
        let median = |took: &[f64]| took.get(took.len() / 2).copied().unwrap_or(f64::MAX);
        println!("median alone {:.4} s, beside {GREEDY} streams {:.4} s", median(&alone), median(&beside));
        assert!(slow * 100 <= ASKED, "{slow} of {ASKED} answers took more than {PROMPT_S} s");
        Ok(())
    })
}
