#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use postern_ids::Timestamp;

fn connector(n: u8) -> ConnectorId {
    ConnectorId::mint(Timestamp::EPOCH, [n; 10])
}

fn dialer(c: u8, instance: u8, slot: u8) -> Dialer {
    Dialer { connector: connector(c), instance: InstanceId::mint(Timestamp::EPOCH, [instance; 10]), slot }
}

fn pick(registry: &Registry<&'static str>, of: &[u8]) -> Option<&'static str> {
    pick_at(registry, of, Instant::now())
}

fn pick_at(registry: &Registry<&'static str>, of: &[u8], now: Instant) -> Option<&'static str> {
    registry.pick(of.iter().map(|n| connector(*n)), &[], |_| 0, now).map(|(_, link)| link)
}

/// Enters a link whose connector says at once what it holds.
fn enter(
    registry: &Registry<&'static str>,
    dialer: Dialer,
    link: &'static str,
    now: Instant,
) -> Entered<&'static str> {
    let entered = registry.enter(dialer, link, now).unwrap();
    registry.ready(entered.place);
    entered
}

#[test]
fn the_newer_link_replaces_the_one_of_its_own_slot_only() {
    let (registry, now) = (Registry::default(), Instant::now());
    assert!(enter(&registry, dialer(1, 1, 0), "a", now).came_online);
    assert!(!enter(&registry, dialer(1, 1, 1), "b", now).came_online);
    let entered = enter(&registry, dialer(1, 1, 0), "c", now);
    assert_eq!((entered.replaced, entered.superseded.len()), (Some("a"), 0));
    assert_eq!(registry.links().len(), 2);
}

#[test]
fn a_replaced_link_that_leaves_late_takes_nothing_with_it() {
    let (registry, now) = (Registry::default(), Instant::now());
    let old = enter(&registry, dialer(1, 1, 0), "old", now);
    enter(&registry, dialer(1, 1, 0), "new", now);
    assert!(!registry.leave(old.place, now));
    assert_eq!(pick(&registry, &[1]), Some("new"));
}

#[test]
fn t11_another_instance_with_the_same_key_supersedes_the_older_one() {
    let (registry, now) = (Registry::default(), Instant::now());
    enter(&registry, dialer(1, 1, 0), "older", now);
    enter(&registry, dialer(1, 1, 1), "older too", now);
    let later = now + TAKEOVER_PAUSE;
    let entered = enter(&registry, dialer(1, 2, 0), "newest", later);
    assert_eq!(entered.superseded, ["older", "older too"]);
    assert_eq!(pick(&registry, &[1]), Some("newest"));
}

#[test]
fn f21_two_instances_that_take_over_from_each_other_are_damped() {
    let (registry, now) = (Registry::default(), Instant::now());
    enter(&registry, dialer(1, 1, 0), "one", now);
    enter(&registry, dialer(1, 2, 0), "two", now + TAKEOVER_PAUSE);
    let again = registry.enter(dialer(1, 1, 0), "one", now + TAKEOVER_PAUSE + Duration::from_secs(1));
    assert_eq!(again.unwrap_err(), EnterError::Flapping);
    assert_eq!(pick(&registry, &[1]), Some("two"), "the registration that stands is untouched");
}

#[test]
fn f21_a_connector_that_comes_and_goes_is_passed_over_while_another_serves_and_used_while_none_does() {
    let (registry, start) = (Registry::default(), Instant::now());
    enter(&registry, dialer(2, 1, 0), "steady", start);
    let mut followed = 0;
    for second in 1..=60 {
        let now = start + Duration::from_secs(second);
        // An older place than the steady one's would win: so what is seen is that it is passed over, not that it is young.
        let flap = enter(&registry, dialer(1, u8::try_from(second).unwrap(), 0), "flapping", now);
        let load = |link: &&str| usize::from(*link == "steady");
        let both = [connector(1), connector(2)].into_iter();
        followed += usize::from(registry.pick(both, &[], load, now).unwrap().1 == "flapping");
        assert_eq!(pick_at(&registry, &[1], now), Some("flapping"), "better than nobody");
        registry.leave(flap.place, now);
    }
    assert!(followed <= 60 / 5, "sessions were sent after it {followed} times in a minute");
    let now = start + Duration::from_secs(61);
    let stayed = enter(&registry, dialer(1, 99, 0), "stayed", now);
    assert!(stayed.passed_over > Duration::ZERO && stayed.passed_over <= Duration::from_secs(30));
    let load = |link: &&str| usize::from(*link == "steady");
    let both = || [connector(1), connector(2)].into_iter();
    assert_eq!(registry.pick(both(), &[], load, now).unwrap().1, "steady");
    assert_eq!(registry.pick(both(), &[], load, now + stayed.passed_over).unwrap().1, "stayed");
}

#[test]
fn f04_a_restarted_connector_whose_links_are_gone_enters_at_once() {
    let (registry, now) = (Registry::default(), Instant::now());
    let first = enter(&registry, dialer(1, 1, 0), "first", now);
    assert!(registry.leave(first.place, now), "it was the last");
    enter(&registry, dialer(1, 2, 0), "second", now + Duration::from_millis(10));
}

#[test]
fn new_streams_go_to_the_least_loaded_link_that_is_not_draining() {
    let (registry, now) = (Registry::default(), Instant::now());
    enter(&registry, dialer(1, 1, 0), "busy", now);
    let idle = enter(&registry, dialer(2, 1, 0), "idle", now);
    let load = |link: &&str| if *link == "busy" { 10 } else { 1 };
    let both = || [connector(1), connector(2)].into_iter();
    assert_eq!(registry.pick(both(), &[], load, now).unwrap().1, "idle");
    assert_eq!(registry.pick(both(), &[idle.place], load, now).unwrap().1, "busy");
    assert!(registry.drain(idle.place));
    assert!(!registry.drain(idle.place), "once");
    assert_eq!(registry.pick(both(), &[], load, now).unwrap().1, "busy");
}

#[test]
fn t09_a_link_is_found_under_its_own_connector_only() {
    let (registry, now) = (Registry::default(), Instant::now());
    enter(&registry, dialer(1, 1, 0), "one", now);
    assert_eq!(pick(&registry, &[2]), None);
    assert_eq!(registry.retain(|id| id != connector(1)), [(connector(1), "one")]);
    assert_eq!(pick(&registry, &[1]), None);
}

#[test]
fn a_link_gets_no_streams_before_its_connector_said_what_it_holds() {
    let (registry, now) = (Registry::default(), Instant::now());
    let entered = registry.enter(dialer(1, 1, 0), "silent", now).unwrap();
    assert_eq!(pick(&registry, &[1]), None);
    assert!(registry.is_online(connector(1)) && !registry.is_usable(connector(1)));
    assert!(registry.ready(entered.place));
    assert!(!registry.ready(entered.place), "once");
    assert_eq!(pick(&registry, &[1]), Some("silent"));
}

fn home(c: u8, instance: u8) -> Home {
    let dialer = dialer(c, instance, 0);
    Home { connector: dialer.connector, instance: dialer.instance }
}

#[test]
fn t06_a_stream_is_looked_for_at_the_process_that_holds_it_and_nowhere_else() {
    let (registry, now) = (Registry::default(), Instant::now());
    assert_eq!(registry.way_to(home(1, 1), &[], |_| 0), Way::None);
    let entered = enter(&registry, dialer(1, 1, 0), "holds it", now);
    enter(&registry, dialer(2, 1, 0), "replica", now);
    assert_eq!(registry.way_to(home(1, 1), &[], |_| 0), Way::Link(entered.place, "holds it"));
    assert_eq!(registry.way_to(home(1, 1), &[entered.place], |_| 0), Way::None);
    assert_eq!(registry.way_to(home(1, 2), &[], |_| 0), Way::OtherInstance);
    assert_eq!(registry.links_of(home(1, 2)), [""; 0]);
}

#[tokio::test]
async fn a_process_that_links_within_the_patience_is_reached_and_another_one_ends_the_wait() {
    let registry = std::sync::Arc::new(Registry::default());
    let patient = tokio::time::Instant::now() + Duration::from_secs(20);
    let asked = std::sync::Arc::clone(&registry);
    let waiting = tokio::spawn(async move { asked.reach(home(1, 1), &[], |_| 0, patient).await });
    tokio::task::yield_now().await;
    let entered = registry.enter(dialer(1, 1, 0), "back", Instant::now()).unwrap();
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "it did not say yet what it holds");
    registry.ready(entered.place);
    assert_eq!(waiting.await.unwrap(), Way::Link(entered.place, "back"));
    assert_eq!(registry.reach(home(1, 2), &[], |_| 0, patient).await, Way::OtherInstance);
    let at_once = tokio::time::Instant::now();
    assert_eq!(registry.reach(home(2, 1), &[], |_| 0, at_once).await, Way::None);
}

#[test]
fn a_connector_is_expected_back_for_a_moment_after_it_left_and_after_the_start() {
    let (registry, now) = (Registry::default(), Instant::now());
    let expected = |of: &[u8], at| registry.is_expected(of.iter().map(|n| connector(*n)), at);
    assert!(expected(&[1], now), "nobody has had the time to dial in");
    let settled = now + Duration::from_secs(3_600);
    assert!(!expected(&[1], settled), "nobody has dialed in for an hour");
    let here = enter(&registry, dialer(1, 1, 0), "here", settled);
    registry.leave(here.place, settled);
    assert!(expected(&[2, 1], settled + Duration::from_secs(4)));
    assert!(!expected(&[2], settled), "another one");
    assert!(!expected(&[1], settled + BACK_WITHIN), "not for ever");
}

#[tokio::test]
async fn f04_a_process_that_is_back_before_its_end_was_noticed_enters_once_it_is() {
    let registry = std::sync::Arc::new(Registry::default());
    let killed = enter(&registry, dialer(1, 1, 0), "killed", Instant::now());
    let patient = tokio::time::Instant::now() + Duration::from_secs(20);
    let asked = std::sync::Arc::clone(&registry);
    let waiting = tokio::spawn(async move { asked.enter_once_free(dialer(1, 2, 0), &"back", patient).await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "the earlier one counts as alive");
    registry.leave(killed.place, Instant::now());
    assert!(waiting.await.unwrap().unwrap().came_online);
    let at_once = tokio::time::Instant::now();
    let twin = registry.enter_once_free(dialer(1, 3, 0), &"twin", at_once).await;
    assert_eq!(twin.unwrap_err(), EnterError::Flapping, "who stays is not taken over from");
}
