//! The door of local accounts: a user name and a password go in, a yes or one uniform no comes out.

use crate::{HashPool, HashRefused, Password, Throttle, ThrottleLimits, Throttled};
use postern_ids::Timestamp;
use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// A person may mistype a few times; then guesses are at most one a minute.
const PER_PERSON: ThrottleLimits = ThrottleLimits {
    free: 5,
    wait_max: Duration::from_secs(60),
    forget_after: Duration::from_secs(3600),
    keys_max: 20_000,
};

/// Many people share an address behind a NAT.
const PER_ADDRESS: ThrottleLimits = ThrottleLimits {
    free: 30,
    wait_max: Duration::from_secs(15 * 60),
    forget_after: Duration::from_secs(3600),
    keys_max: 20_000,
};

/// Why nobody came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DoorRefused {
    /// There is no such user, the password is wrong, or the account is disabled: the answer does not tell which.
    #[error("the user name or the password is wrong, or the account is disabled")]
    Wrong,
    /// Too many attempts, for this person or from this address.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Too many sign-ins at once.
    #[error(transparent)]
    Hash(#[from] HashRefused),
}

/// Who tries to come in.
#[derive(Debug, Clone)]
pub struct Attempted {
    /// What counts as one person: the user id, or for an unknown name the name itself.
    pub person: String,
    /// The client's address.
    pub address: IpAddr,
    /// The stored hash; none for an unknown user.
    pub hash: Option<String>,
    /// Whether the account may be used at all.
    pub enabled: bool,
}

/// The door. One per gateway, so that all ways in share its counters.
#[derive(Debug)]
pub struct Door {
    pool: HashPool,
    people: Throttle<String>,
    addresses: Throttle<IpAddr>,
}

impl Door {
    /// A door with a pool for this many cores.
    pub fn new(cores: usize) -> Self {
        Self {
            pool: HashPool::new(cores),
            people: Throttle::new(PER_PERSON),
            addresses: Throttle::new(PER_ADDRESS),
        }
    }

    /// The pool, for hashing new passwords.
    pub fn pool(&self) -> &HashPool {
        &self.pool
    }

    /// Checks a password. Every refusal of [`DoorRefused::Wrong`] takes the same work.
    pub async fn check(
        &self,
        attempted: Attempted,
        password: Password,
        now: Timestamp,
    ) -> Result<(), DoorRefused> {
        let network = network(attempted.address);
        self.addresses.begin(&network, now)?;
        self.people.begin(&attempted.person, now)?;
        let matches = self.pool.verify(password, attempted.hash).await?;
        if !matches || !attempted.enabled {
            return Err(DoorRefused::Wrong);
        }
        self.people.succeeded(&attempted.person);
        // One good account must not buy an address free guesses at others.
        self.addresses.forgive(&network);
        Ok(())
    }
}

/// An IPv6 customer has at least a /64: all of it is one address here.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn attempt(person: &str, address: &str, hash: Option<&str>) -> Attempted {
        Attempted {
            person: person.to_owned(),
            address: address.parse().unwrap(),
            hash: hash.map(str::to_owned),
            enabled: true,
        }
    }

    fn password(text: &str) -> Password {
        Password::presented(text.to_owned())
    }

    #[tokio::test]
    async fn a09_all_refusals_look_alike_and_guessing_is_slowed_per_person_and_address() {
        let door = Door::new(2);
        let hash = door.pool().hash(password("right horse battery")).await.unwrap();
        let known = attempt("usr_1", "192.0.2.1", Some(&hash));
        let disabled = Attempted { enabled: false, ..known.clone() };
        let nobody = attempt("mallory", "192.0.2.1", None);
        assert_eq!(door.check(known.clone(), password("wrong"), NOW).await, Err(DoorRefused::Wrong));
        assert_eq!(door.check(nobody, password("wrong"), NOW).await, Err(DoorRefused::Wrong));
        assert_eq!(door.check(disabled, password("right horse battery"), NOW).await, Err(DoorRefused::Wrong));
        assert_eq!(door.check(known.clone(), password("right horse battery"), NOW).await, Ok(()));

        // Two addresses, one person: one counter.
        let elsewhere = attempt("usr_1", "198.51.100.7", Some(&hash));
        let mut refused = 0;
        for n in 0..10 {
            let from = if n % 2 == 0 { &known } else { &elsewhere };
            let verdict = door.check(from.clone(), password("wrong"), NOW).await;
            refused += usize::from(matches!(verdict, Err(DoorRefused::Throttled(_))));
        }
        assert_eq!(refused, 4);
    }

    #[tokio::test]
    async fn a09_every_refusal_does_the_work_of_one_hash_before_it_answers() {
        let door = Door::new(1);
        let hash = door.pool().hash(password("right horse battery")).await.unwrap();
        let disabled =
            |person: &str, hash| Attempted { enabled: false, ..attempt(person, "192.0.2.1", hash) };
        for (attempted, typed) in [
            (attempt("usr_1", "192.0.2.1", Some(&hash)), "wrong"),
            (attempt("usr_2", "192.0.2.1", Some(&hash)), ""),
            (attempt("name nobody", "192.0.2.1", None), "wrong"),
            (attempt("name somebody", "192.0.2.1", None), "right horse battery"),
            (disabled("usr_3", Some(&hash)), "wrong"),
            (disabled("usr_4", Some(&hash)), "right horse battery"),
        ] {
            let core = door.pool().occupied().await;
            let person = attempted.person.clone();
            let mut check = std::pin::pin!(door.check(attempted, password(typed), NOW));
            let answers_at_once = std::future::poll_fn(|context| {
                std::task::Poll::Ready(check.as_mut().poll(context).is_ready())
            });
            assert!(!answers_at_once.await, "{person} is answered without the work");
            drop(core);
            assert_eq!(check.await, Err(DoorRefused::Wrong), "{person}");
        }
    }

    #[test]
    fn neighbours_in_one_ipv6_network_and_mapped_addresses_count_as_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
