#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

use super::{
    news::Follows,
    put::Put,
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
use std::{net::IpAddr, rc::Rc, sync::Arc, time::Instant};

mod walk;

/// Of a session that is known here, which needs no proof.
const ATTACHED: Standing = Standing::Attached { is_proven: false };

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
        assert!(matches!(scene.park(of, Rc::new(())), Put::Waits));
        scene
    }

    fn claim(&mut self, of: &HeldOf, generation: u32) -> Claim<Duty> {
        let attempt = Attempt { generation, order: &self.order, now: self.now };
        self.table.claim(of, &attempt, 4409)
    }

    fn told(&mut self, of: &HeldOf, home: Home, generation: u32, standing: Standing) -> Follows<Duty> {
        self.table.told(told(of, home, generation, standing), self.now)
    }

    fn park(&mut self, of: &HeldOf, duty: Duty) -> Put<Duty> {
        self.table.park(of.session, duty, self.now)
    }

    fn let_go(&mut self, of: &HeldOf) -> Put<Duty> {
        self.table.let_go(of.session, Rc::new(()), self.now)
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
    assert!(matches!(scene.park(&session, was.duty), Put::Waits));
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
        assert!(matches!(scene.told(&session, stranger, 9, ATTACHED), Follows::Nothing));
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
    assert!(matches!(scene.told(&session, session.home, 3, ATTACHED), Follows::Nothing), "said before");
    assert!(scene.waits());
    assert!(matches!(scene.told(&session, session.home, 4, ATTACHED), Follows::Moved(_)));
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
    assert!(matches!(scene.let_go(&session), Put::Waits), "somebody must watch it");
    assert!(scene.waits());
    assert!(matches!(scene.claim(&session, 2), Claim::Superseded));
    assert!(matches!(scene.claim(&session, 3), Claim::Taken(_)));
}

#[test]
fn f02_a_session_that_moved_leaves_nothing_to_end() {
    let session = of(1);
    let mut scene = Scene::new();
    assert!(matches!(scene.claim(&session, 1), Claim::Fresh));
    assert!(matches!(scene.let_go(&session), Put::Out(_)));
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
fn a_connector_tells_the_end_of_what_waits_and_cannot_speak_for_policy() {
    let session = of(1);
    let mut scene = Scene::with(&session, 1);
    let over = scene.told(&session, session.home, 2, Standing::Over(Ended::Revoked.code()));
    assert!(matches!(over, Follows::Ended(Ended::TargetFailed, _)));
    assert!(!scene.table.knows(session.session));
}

#[test]
fn f18_an_end_that_is_heard_before_the_loss_of_its_lane_counts_once_the_lane_is_missed() {
    let session = of(1);
    for is_superseded in [false, true] {
        let mut scene = Scene::new();
        assert!(matches!(scene.claim(&session, 1), Claim::Fresh));
        assert!(matches!(scene.told(&session, session.home, 1, Standing::Over(4444)), Follows::Nothing));
        let put = if is_superseded { scene.let_go(&session) } else { scene.park(&session, Rc::new(())) };
        assert!(matches!(put, Put::Over(Ended::TargetFailed, _)), "{put:?}");
        assert!(!scene.table.knows(session.session));
        assert!(matches!(scene.claim(&session, 2), Claim::Ended(Ended::TargetFailed)));
    }
}

#[test]
fn f13_a_late_word_of_waiting_is_not_believed_once_the_session_is_known_to_go_on_elsewhere() {
    let session = of(1);
    let (proven, claimed) = (Standing::Attached { is_proven: true }, Standing::Attached { is_proven: false });
    let mut scene = Scene::new();
    assert!(matches!(scene.told(&session, session.home, 3, proven), Follows::Nothing));
    assert!(matches!(scene.told(&session, session.home, 2, detached(&session)), Follows::Nothing), "late");
    assert!(matches!(scene.told(&session, session.home, 3, detached(&session)), Follows::Adopt(..)), "news");
    // T8: without a grant it may be another connector's.
    let mut scene = Scene::new();
    assert!(matches!(scene.told(&session, home(2, 2), 9, claimed), Follows::Nothing));
    assert!(matches!(scene.told(&session, session.home, 2, detached(&session)), Follows::Adopt(..)));
}

#[test]
fn d13_the_table_is_bounded_and_what_finds_no_room_may_not_wait() {
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
    assert!(matches!(scene.park(&carried, Rc::new(())), Put::Out(_)));
    assert!(matches!(scene.let_go(&carried), Put::Out(_)));
    assert!(matches!(scene.claim(&waits, 2), Claim::Closed));
    assert!(matches!(scene.told(&waits, waits.home, 1, detached(&waits)), Follows::Nothing));
}
