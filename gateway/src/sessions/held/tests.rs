#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

use super::{
    news::Follows,
    table::{Attempt, Claim, HeldOf, Table},
};
use crate::{
    connectors::{Home, Standing, Told},
    signing::{Facts, Stated},
};
use postern_ids::{
    ConnectorId, Ended, InstanceId, ResourceId, ServiceAccountId, SessionId, StreamId, Timestamp, TokenId,
};
use postern_policy::{
    Action,
    model::{Credential, PrincipalId, TokenFacts},
};
use postern_tunnel_io::Detach;
use std::{
    net::IpAddr,
    rc::{Rc, Weak},
    sync::Arc,
    time::Instant,
};

/// Ends one session; counts how many of it there are.
type Duty = Rc<()>;

fn home(connector: u8, instance: u8) -> Home {
    let connector = ConnectorId::mint(Timestamp::EPOCH, [connector; 10]);
    Home { connector, instance: InstanceId::mint(Timestamp::EPOCH, [instance; 10]) }
}

fn of(n: u8) -> HeldOf {
    HeldOf {
        session: SessionId::mint(Timestamp::EPOCH, [n; 10]),
        stream: StreamId::mint(Timestamp::EPOCH, [n; 10]),
        key: [n; 32],
        principal: PrincipalId::ServiceAccount(ServiceAccountId::mint(Timestamp::EPOCH, [1; 10])),
        resource: ResourceId::mint(Timestamp::EPOCH, [1; 10]),
        home: home(1, 1),
    }
}

fn stated(of: &HeldOf) -> Stated {
    let id = TokenId::mint(Timestamp::EPOCH, [1; 10]);
    let facts = Facts {
        principal: of.principal,
        credential: Credential::Token(Arc::new(TokenFacts { id, expires_at: None })),
        action: Action::Connect,
        source: IpAddr::from([127, 0, 0, 1]),
        started_at: Timestamp::EPOCH,
        expires_at: Timestamp::MAX,
        generation: 1,
    };
    Stated {
        session: of.session,
        stream: of.stream,
        key: of.key,
        resource: of.resource,
        connector: of.home.connector,
        facts,
    }
}

fn told(of: &HeldOf, home: Home, generation: u32, standing: Standing) -> Told {
    Told { home, stream: of.stream, session: of.session, generation, standing }
}

fn detached(of: &HeldOf) -> Standing {
    Standing::Detached(Box::new(stated(of)))
}

struct Scene {
    table: Table<Duty>,
    order: Detach,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self { table: Table::new(10), order: Detach::new(), now: Instant::now() }
    }

    /// A session that waits after its attempt `generation`.
    fn with(of: &HeldOf, generation: u32) -> Self {
        let mut scene = Self::new();
        assert!(matches!(scene.claim(of, generation), Claim::Fresh));
        scene.table.park(of.session, Rc::new(())).unwrap();
        scene
    }

    fn claim(&mut self, of: &HeldOf, generation: u32) -> Claim<Duty> {
        let attempt = Attempt { generation, order: &self.order, now: self.now };
        self.table.claim(of, &attempt, 4409)
    }

    fn told(&mut self, of: &HeldOf, home: Home, generation: u32, standing: Standing) -> Follows<Duty> {
        self.table.told(told(of, home, generation, standing), self.now)
    }

    fn waits(&self) -> bool {
        !self.table.waiting(|_| Some(())).is_empty()
    }
}

#[tokio::test]
async fn t06_of_two_attempts_the_greater_gets_the_session_in_whichever_order_they_come() {
    let session = of(1);
    let mut scene = Scene::with(&session, 1);
    let Claim::Taken(was) = scene.claim(&session, 2) else { panic!("it waited") };
    assert!(matches!(scene.claim(&session, 3), Claim::Busy));
    assert_eq!(scene.order.wait().await, 4409, "whoever has it hears the order");
    scene.table.park(session.session, was.duty).unwrap();
    let Claim::Taken(was) = scene.claim(&session, 3) else { panic!("it was let go") };
    assert_eq!(was.generation, 2);
    for older in [1, 2, 3] {
        assert!(matches!(scene.claim(&session, older), Claim::Superseded));
    }
}

#[test]
fn t08_a_connector_changes_nothing_of_what_another_holds() {
    let session = of(1);
    let mut scene = Scene::with(&session, 1);
    for stranger in [home(2, 1), home(1, 2)] {
        assert!(matches!(scene.told(&session, stranger, 9, Standing::Over(4444)), Follows::Nothing));
        assert!(matches!(scene.told(&session, stranger, 9, Standing::Attached), Follows::Nothing));
        for claimed in [detached(&session), Standing::Unproven] {
            assert!(
                matches!(scene.told(&session, stranger, 9, claimed), Follows::Kill(_)),
                "at that connector"
            );
        }
    }
    assert!(scene.waits());
    assert!(matches!(scene.claim(&session, 2), Claim::Taken(_)), "nor was its generation raised");
}

#[test]
fn t08_what_is_known_under_one_identity_is_unknown_under_another() {
    let session = of(1);
    let mut scene = Scene::with(&session, 1);
    for other in [
        HeldOf { stream: of(2).stream, ..session },
        HeldOf { key: [9; 32], ..session },
        HeldOf { resource: ResourceId::mint(Timestamp::EPOCH, [9; 10]), ..session },
        HeldOf { home: home(1, 2), ..session },
        HeldOf { principal: PrincipalId::Anonymous, ..session },
    ] {
        assert!(matches!(scene.claim(&other, 2), Claim::Unknown));
    }
    assert_eq!(scene.table.find(session.stream, [9; 32]), None);
    assert_eq!(scene.table.find(session.stream, session.key), Some(session));
}

#[test]
fn what_the_connector_says_of_a_waiting_session_counts_if_it_is_newer() {
    let session = of(1);
    let mut scene = Scene::with(&session, 3);
    assert!(
        matches!(scene.told(&session, session.home, 3, Standing::Attached), Follows::Nothing),
        "said before"
    );
    assert!(scene.waits());
    assert!(matches!(scene.told(&session, session.home, 4, Standing::Attached), Follows::Moved(_)));
    assert!(!scene.table.knows(session.session));
    assert!(
        matches!(scene.told(&session, session.home, 3, detached(&session)), Follows::Nothing),
        "older news"
    );
    assert!(
        matches!(scene.told(&session, session.home, 4, detached(&session)), Follows::Adopt(..)),
        "it waits again"
    );
    assert!(matches!(scene.claim(&session, 3), Claim::Superseded));
}

#[test]
fn a_session_that_came_back_to_its_connector_while_its_lane_was_being_lost_here_waits_here() {
    let session = of(1);
    let mut scene = Scene::new();
    assert!(matches!(scene.claim(&session, 1), Claim::Fresh));
    assert!(matches!(scene.told(&session, session.home, 2, detached(&session)), Follows::Nothing));
    assert!(scene.table.let_go(session.session, Rc::new(()), scene.now).is_none(), "somebody must watch it");
    assert!(scene.waits());
    assert!(matches!(scene.claim(&session, 2), Claim::Superseded));
    assert!(matches!(scene.claim(&session, 3), Claim::Taken(_)));
}

#[test]
fn f02_a_session_that_moved_leaves_nothing_to_end() {
    let session = of(1);
    let mut scene = Scene::new();
    assert!(matches!(scene.claim(&session, 1), Claim::Fresh));
    assert!(scene.table.let_go(session.session, Rc::new(()), scene.now).is_some());
    assert!(
        matches!(scene.told(&session, session.home, 1, detached(&session)), Follows::Nothing),
        "older news"
    );
    assert!(matches!(scene.told(&session, session.home, 2, Standing::Over(4444)), Follows::Nothing));
}

#[test]
fn an_end_is_final_here_and_the_connector_is_told_whenever_it_names_the_session() {
    let session = of(1);
    let mut scene = Scene::with(&session, 1);
    assert!(scene.table.end(session.session, Ended::EndedByAdmin, scene.now).is_some());
    assert!(matches!(scene.claim(&session, 2), Claim::Ended(Ended::EndedByAdmin)));
    let named = scene.told(&session, session.home, 5, detached(&session));
    assert!(matches!(named, Follows::Kill(Ended::EndedByAdmin)));
}

#[test]
fn a_connector_tells_the_end_of_what_waits_and_not_of_what_is_carried() {
    let session = of(1);
    let mut scene = Scene::with(&session, 1);
    let Claim::Taken(was) = scene.claim(&session, 2) else { panic!("it waited") };
    assert!(matches!(scene.told(&session, session.home, 1, Standing::Over(4444)), Follows::Nothing));
    scene.table.park(session.session, was.duty).unwrap();
    // 4412 is not a connector's to say.
    let over = scene.told(&session, session.home, 2, Standing::Over(Ended::Revoked.code()));
    assert!(matches!(over, Follows::Ended(Ended::TargetFailed, _)));
    assert!(!scene.table.knows(session.session));
}

#[test]
fn t16_the_table_is_bounded_and_what_finds_no_room_may_not_wait() {
    let mut scene = Scene::new();
    for n in 0..10 {
        assert!(matches!(scene.claim(&of(n), 1), Claim::Fresh));
    }
    assert!(matches!(scene.claim(&of(11), 1), Claim::Full));
    assert!(matches!(scene.told(&of(11), of(11).home, 1, detached(&of(11))), Follows::Kill(Ended::Limit)));
    assert!(scene.table.adopt(of(11), 1, Rc::new(()), scene.now).is_err());
}

#[test]
fn t06_one_stream_is_one_session() {
    let session = of(1);
    let mut scene = Scene::with(&session, 1);
    let other = HeldOf { session: of(2).session, ..session };
    let attempt = Attempt { generation: 2, order: &scene.order, now: scene.now };
    assert!(matches!(scene.table.enter(&other, &attempt), Claim::Superseded));
    assert!(scene.table.adopt(other, 2, Rc::new(()), scene.now).is_err());
    assert_eq!(scene.table.find(session.stream, session.key), Some(session));
}

#[tokio::test]
async fn f03_a_closed_table_lets_everything_go_and_nothing_in() {
    let (waits, carried) = (of(1), of(2));
    let mut scene = Scene::with(&waits, 1);
    assert!(matches!(scene.claim(&carried, 1), Claim::Fresh));
    assert_eq!(scene.table.close(1012).len(), 1);
    assert_eq!(scene.order.wait().await, 1012);
    assert!(scene.table.park(carried.session, Rc::new(())).is_err());
    assert!(scene.table.let_go(carried.session, Rc::new(()), scene.now).is_some());
    assert!(matches!(scene.claim(&waits, 2), Claim::Closed));
    assert!(matches!(scene.told(&waits, waits.home, 1, detached(&waits)), Follows::Nothing));
}

/// A small generator, so that a failing seed can be run again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Somebody who has a session.
struct Holder {
    session: HeldOf,
    duty: Duty,
}

/// A walk through the table, one chance after the other.
struct Walk {
    scene: Scene,
    chance: Chance,
    /// Every duty that there ever was, by session.
    made: [Vec<Weak<()>>; 3],
    holders: Vec<Holder>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let made = [Vec::new(), Vec::new(), Vec::new()];
        Self { scene: Scene::new(), chance: Chance(seed), made, holders: Vec::new() }
    }

    fn make(&mut self, n: u8) -> Duty {
        let duty = Rc::new(());
        self.made[usize::from(n)].push(Rc::downgrade(&duty));
        duty
    }

    fn step(&mut self) {
        let n = u8::try_from(self.chance.below(3)).unwrap();
        let (session, generation) = (of(n), u32::try_from(self.chance.below(8)).unwrap() + 1);
        match self.chance.below(10) {
            0..=2 => match self.scene.claim(&session, generation) {
                Claim::Fresh => {
                    let duty = self.make(n);
                    self.holders.push(Holder { session, duty });
                }
                Claim::Taken(was) => self.holders.push(Holder { session, duty: was.duty }),
                _ => {}
            },
            3 => {
                let told = self.scene.told(&session, session.home, generation, detached(&session));
                if let Follows::Adopt(of, _) = told {
                    let duty = self.make(n);
                    drop(self.scene.table.adopt(of, generation, duty, self.scene.now));
                }
            }
            4 => drop(self.scene.told(&session, session.home, generation, Standing::Attached)),
            5 if self.chance.below(6) == 0 => {
                drop(self.scene.told(&session, session.home, generation, Standing::Over(4444)));
            }
            6.. if !self.holders.is_empty() => self.hand_over(),
            _ => {}
        }
    }

    /// Somebody gives away what they have.
    fn hand_over(&mut self) {
        let at = usize::try_from(self.chance.below(self.holders.len() as u64)).unwrap();
        let Holder { session: HeldOf { session, .. }, duty } = self.holders.swap_remove(at);
        let (table, now) = (&mut self.scene.table, self.scene.now);
        match self.chance.below(8) {
            0..=4 => drop(table.park(session, duty)),
            5 | 6 => drop(table.let_go(session, duty, now)),
            _ => drop(table.end(session, Ended::Finished, now)),
        }
    }
}

#[test]
fn d14_whatever_happens_in_whatever_order_a_session_has_one_duty_at_most() {
    for seed in 1..=500 {
        let mut walk = Walk::new(seed);
        for step in 0..60 {
            walk.step();
            for made in &walk.made {
                let alive = made.iter().filter(|duty| duty.strong_count() > 0).count();
                assert!(alive <= 1, "seed {seed}, step {step}: {alive} duties for one session");
            }
        }
    }
}
