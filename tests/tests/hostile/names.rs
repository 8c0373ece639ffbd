//! Name servers that lie: whatever they answer, only what the connector's list admits is dialed (T14).

use super::SOON;
use anyhow::Result;
use postern_tests::{Connector, Manner, NameServer, Scratch, Target, World, scenario, tools, until, world};

/// How a session to a name has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// At the target that is listed.
    Reached,
    /// Refused by the connector's list.
    Refused,
    /// The name has no address.
    Unresolved,
}
use Outcome::{Reached, Refused, Unresolved};

/// What the name server answers, one text for each session, and how each of them ends. 127.0.0.1 is listed; a target that
/// is not listens on the same port at 127.0.0.2.
const ANSWERS: [(&str, &[&str], &[Outcome]); 13] = [
    ("one address", &["127.0.0.1"], &[Reached]),
    (
        "another address each time, good for 0 s",
        &["127.0.0.1", "127.0.0.2", "127.0.0.1"],
        &[Reached, Refused, Reached],
    ),
    ("a forbidden address behind a good one", &["127.0.0.1 127.0.0.2"], &[Refused]),
    ("a forbidden address before a good one", &["127.0.0.2 127.0.0.1"], &[Refused]),
    ("a good A and a forbidden AAAA", &["127.0.0.1 ::1"], &[Refused]),
    ("a good A and the same in IPv6 clothes", &["127.0.0.1 ::ffff:127.0.0.1"], &[Refused]),
    ("AAAA alone", &["::1"], &[Refused]),
    (
        "the metadata service among twenty",
        &[
            "127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 169.254.169.254",
        ],
        &[Refused],
    ),
    ("nobody's address", &["0.0.0.0"], &[Refused]),
    ("an alias of a listed place", &["=inside.test 127.0.0.1"], &[Reached]),
    ("an alias of a private place", &["=inside.test 127.0.0.2"], &[Refused]),
    ("an address of another name", &["@other.test 127.0.0.1"], &[Unresolved]),
    ("no such name", &[""], &[Unresolved]),
];

#[test]
fn t14_whatever_a_name_server_answers_only_a_checked_address_is_dialed() -> Result<()> {
    scenario("t14", |scratch| {
        let Some(stage) = Stage::set(scratch)? else { return Ok(()) };
        for (case, turns, outcomes) in ANSWERS {
            stage.names.set("app.test", turns);
            for (before, outcome) in outcomes.iter().enumerate() {
                assert_eq!(stage.session("app")?, *outcome, "{case}, session {}", before + 1);
                assert_eq!(
                    stage.names.asked("app.test"),
                    before + 1,
                    "{case}: asked more than once for a session"
                );
            }
        }
        // Its own search domain leads the connector somewhere: what is found there is checked as well.
        let found = format!("short.{}", NameServer::SEARCH);
        for (answer, outcome) in [("127.0.0.2", Refused), ("127.0.0.1", Reached)] {
            stage.names.set(&found, &[answer]);
            assert_eq!(stage.session("short")?, outcome, "by the search domain: {answer}");
            assert_eq!(stage.names.asked(&found), 1);
        }
        // A name that no line could admit is not even looked up.
        stage.names.set("secret.test", &["127.0.0.1"]);
        assert_eq!(stage.session("secret")?, Refused);
        assert_eq!(stage.names.asked("secret.test"), 0, "a question leaked to the name server");
        assert_eq!(stage.forbidden.connections(), 0, "a forbidden address was dialed");
        Ok(())
    })
}

struct Stage {
    names: NameServer,
    world: World,
    listed: Target,
    forbidden: Target,
    _connector: Connector,
}

impl Stage {
    fn set(scratch: &Scratch) -> Result<Option<Self>> {
        let Some(names) = NameServer::or_skip("t14", scratch)? else { return Ok(None) };
        let mut world = World::start(scratch)?;
        world.connector.stop(SOON)?;
        let listed = Target::start(Manner::Echo)?;
        let port = listed.address().port();
        let forbidden = Target::start_at(([127, 0, 0, 2], port).into(), Manner::Echo)?;
        let allow = ["app.test", "short", "127.0.0.1"].map(|host| format!("{host}:{port}"));
        let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
        let mut connector =
            world::enroll(&world.owner, &tools::programs()?, &scratch.join("strict"), &allow)?;
        connector.run_wrapped(names.wrapper())?;
        until("the connector that asks the name server", SOON, || world::online(&world.owner) == 1)?;
        world.add_tcp("app", &format!("app.test:{port}"))?;
        world.add_tcp("short", &format!("short:{port}"))?;
        world.add_tcp("secret", "secret.test:9")?;
        Ok(Some(Self { names, world, listed, forbidden, _connector: connector }))
    }

    fn session(&self, resource: &str) -> Result<Outcome> {
        let before = self.listed.connections();
        let ran = self.world.alice.run(&["proxy", resource])?;
        let reached = self.listed.connections() - before;
        let outcome = match ran.code {
            0 => Reached,
            77 if ran.stderr.contains("allow-list") => Refused,
            75 if ran.stderr.contains("does not resolve") => Unresolved,
            code => anyhow::bail!("{resource} ended with {code}: {}", ran.stderr),
        };
        assert_eq!(reached, u64::from(outcome == Reached), "{resource}: {}", ran.stderr);
        Ok(outcome)
    }
}
