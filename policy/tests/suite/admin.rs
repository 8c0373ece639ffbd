//! Who may administer.

use crate::world::*;
use postern_ids::DecisionId;
use postern_policy::{
    DenyReason,
    admin::{AdminAction, AdminRequest, OWNERS, built_in_rules, decide_admin},
    model::{Group, Principal},
};
use std::sync::Arc;

fn ask(principal: &Arc<Principal>, action: AdminAction) -> AdminRequest {
    let credential = asks(principal).credential;
    AdminRequest {
        decision: DecisionId::from_bytes([1; 16]),
        principal: principal.clone(),
        credential,
        action,
    }
}

fn owner() -> Arc<Principal> {
    Arc::new(Principal { groups: vec![OWNERS], ..(*ann()).clone() })
}

#[test]
fn an_owner_may_do_everything_and_nobody_else_anything() {
    let snapshot = world().build();
    for &action in AdminAction::ALL {
        assert_eq!(decide_admin(&ask(&owner(), action), &snapshot, NOW).unwrap().action(), action);
        for stranger in [ann(), bob(), robot(), Arc::new(Principal::anonymous())] {
            assert_eq!(
                decide_admin(&ask(&stranger, action), &snapshot, NOW).unwrap_err().reason(),
                DenyReason::NoRule
            );
        }
    }
}

#[test]
fn stored_rules_can_neither_make_an_owner_nor_stop_one() {
    let world = world()
        .policy("permit (principal is User, action, resource);")
        .policy("forbid (principal, action, resource);");
    let snapshot = world.build();
    assert!(decide_admin(&ask(&bob(), AdminAction::View), &snapshot, NOW).is_err());
    assert!(decide_admin(&ask(&owner(), AdminAction::View), &snapshot, NOW).is_ok());
}

#[test]
fn an_owner_who_was_disabled_or_signed_out_is_none() {
    let fresh = world().build();
    let mut world = world();
    world.revoked.ended_sign_ins.insert(SIGN_IN);
    let answer = decide_admin(&ask(&owner(), AdminAction::View), &world.build(), NOW);
    assert_eq!(answer.unwrap_err().reason(), DenyReason::CredentialEnded);
    world.revoked.disabled_users.insert(ANN);
    let answer = decide_admin(&ask(&owner(), AdminAction::View), &world.build(), NOW);
    assert_eq!(answer.unwrap_err().reason(), DenyReason::PrincipalDisabled);
    let late = decide_admin(&ask(&owner(), AdminAction::View), &fresh, NOW.plus(hours(8)));
    assert_eq!(late.unwrap_err().reason(), DenyReason::CredentialExpired);
}

#[test]
fn a_group_within_owners_owns() {
    let mut world = world();
    let devs = Group { id: DEVS, name: "devs".parse().unwrap(), parents: vec![OWNERS] };
    world.places.groups = vec![Arc::new(devs)];
    assert!(decide_admin(&ask(&ann(), AdminAction::Change), &world.build(), NOW).is_ok());
}

#[test]
fn the_built_in_rule_can_be_read() {
    assert!(built_in_rules().contains(&format!("principal in Group::\"{OWNERS}\"")));
}
