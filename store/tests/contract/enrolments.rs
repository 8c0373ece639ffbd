//! Enrolment of connectors: as many as the token says, whoever races.

use crate::fixture::{Fixture, NOW, contract, later, name};
use postern_ids::{ConnectorId, TokenId};
use postern_policy::model::Connector;
use postern_store::{ConnectorKey, EnrolError, EnrolmentToken, SecretHash};

async fn enrolment(f: &Fixture, uses_left: u32, ephemeral: bool) -> EnrolmentToken {
    let site = f.put_site("office").await;
    let token = EnrolmentToken {
        id: TokenId::mint(NOW, rand::random()),
        site: site.id,
        uses_left,
        ephemeral,
        created_at: NOW,
        expires_at: later(3600),
    };
    let mut change = f.change().await;
    change.put_enrolment_token(&token, SecretHash([1; 32])).await.unwrap();
    change.commit().await.unwrap();
    token
}

fn key(n: u8) -> ConnectorKey {
    ConnectorKey {
        id: ConnectorId::mint(NOW, rand::random()),
        name: name(&format!("c{n}")),
        public_key: [n; 32],
    }
}

contract! {
    async fn j12_of_parallel_enrolments_as_many_win_as_the_token_has_uses(f) {
        enrolment(f, 3, false).await;
        let mut calls = tokio::task::JoinSet::new();
        for n in 0..12 {
            let store = f.store.clone();
            calls.spawn(async move { store.enroll(SecretHash([1; 32]), &key(n), NOW).await });
        }
        let results = calls.join_all().await;
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 3);
        assert!(results.iter().all(|r| matches!(r, Ok(_) | Err(EnrolError::Used))));
        assert_eq!(f.store.all::<Connector>().await.unwrap().len(), 3);
        assert!(f.store.enrolment_tokens(NOW).await.unwrap().is_empty());
    }

    async fn the_same_key_enrolled_again_gets_the_connector_it_made_and_a_revoked_one_gets_nothing(f) {
        enrolment(f, 1, false).await;
        let first = f.store.enroll(SecretHash([1; 32]), &key(1), NOW).await.unwrap();
        let again = f.store.enroll(SecretHash([1; 32]), &key(1), later(1)).await.unwrap();
        assert_eq!(again.value, first.value);
        assert!(matches!(f.store.enroll(SecretHash([1; 32]), &key(2), NOW).await, Err(EnrolError::Used)));
        assert!(matches!(f.store.enroll(SecretHash([9; 32]), &key(2), NOW).await, Err(EnrolError::Token)));
        assert!(matches!(f.store.enroll(SecretHash([1; 32]), &key(1), later(3600)).await, Err(EnrolError::Token)));
        let mut change = f.change().await;
        change.revoke_connector(first.value.id).await.unwrap();
        change.commit().await.unwrap();
        assert!(matches!(f.store.enroll(SecretHash([1; 32]), &key(1), NOW).await, Err(EnrolError::Used)));
    }

    async fn an_ephemeral_connector_is_gone_half_an_hour_after_it_was_last_seen(f) {
        enrolment(f, 2, true).await;
        let kept = f.store.enroll(SecretHash([1; 32]), &key(1), NOW).await.unwrap().value.id;
        let gone = f.store.enroll(SecretHash([1; 32]), &key(2), NOW).await.unwrap().value.id;
        f.store.connectors_seen(&[kept], later(600)).await.unwrap();
        assert!(f.store.reap_ephemeral_connectors(later(1800)).await.unwrap().is_empty());
        assert_eq!(f.store.reap_ephemeral_connectors(later(1801)).await.unwrap(), [gone]);
        assert_eq!(f.store.all::<Connector>().await.unwrap().len(), 1);
    }
}
