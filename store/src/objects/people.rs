//! People whom a provider vouches for: found by issuer and subject, bound once to whoever was announced by e-mail, or new.

use super::{Provider, User};
use crate::{
    Actor, Change, ChangeError, Expect, Kind, Store, StoreError,
    change::Note,
    db::{fetch_all, fetch_optional},
};
use postern_ids::{GroupId, Name, Timestamp, UserId};
use postern_policy::model::PrincipalId;
use std::collections::BTreeSet;

/// Names tried before giving up on one that is free.
const NAMES_MAX: u32 = 50;

/// What a provider says of a person who signed in.
#[derive(Debug, Clone)]
pub struct Vouched<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// Its name for the person.
    pub subject: &'a str,
    /// An address that it verified.
    pub email: Option<&'a str>,
    /// A name to show.
    pub name: Option<&'a str>,
    /// Its groups.
    pub groups: &'a [String],
}

/// Why a person may not come in.
#[derive(Debug, thiserror::Error)]
pub enum WelcomeError {
    /// Nobody announced the person, and the provider's people are not adopted.
    #[error("nobody has announced this person")]
    Unknown,
    /// Every right of the person is suspended.
    #[error("the person is disabled")]
    Disabled,
    /// The store did not do its part.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<StoreError> for WelcomeError {
    fn from(error: StoreError) -> Self {
        Self::Change(error.into())
    }
}

impl User {
    /// The subject of a person who was announced and has not come yet: no provider uses such a subject, for it is not
    /// one that could be stored for anybody.
    pub fn awaited(email: &str) -> String {
        format!("awaited\n{}", email.to_ascii_lowercase())
    }

    /// Whether the person was announced and has not come yet.
    pub fn is_awaited(&self) -> bool {
        self.subject.starts_with("awaited\n")
    }
}

impl Store {
    /// The user behind a person, with the groups that follow from the provider's word. What did not change is not
    /// written, and moves no revision.
    pub async fn welcome(&self, person: &Vouched<'_>, now: Timestamp) -> Result<User, WelcomeError> {
        let mut change = self.change(Actor::system("sign_in"), now).await?;
        let user = match change.known(person).await? {
            Some(user) => user,
            None => change.newcomer(person, now).await?,
        };
        if user.disabled {
            change.rollback().await?;
            return Err(WelcomeError::Disabled);
        }
        change.follow_groups(&user, person).await?;
        change.commit().await?;
        Ok(user)
    }
}

impl Change {
    async fn user_of(&mut self, issuer: &str, subject: &str) -> Result<Option<User>, ChangeError> {
        let row: Option<(String,)> = fetch_optional!(
            &mut self.tx,
            (String,),
            "SELECT body FROM users WHERE issuer = $1 AND subject = $2",
            issuer,
            subject
        )?;
        let parsed = row.map(|(body,)| serde_json::from_str(&body)).transpose();
        Ok(parsed.map_err(|error| StoreError::corrupt("users", error))?)
    }

    /// Whoever came before; what is shown of them follows the provider.
    async fn known(&mut self, person: &Vouched<'_>) -> Result<Option<User>, ChangeError> {
        let Some(user) = self.user_of(&person.provider.issuer, person.subject).await? else {
            return Ok(None);
        };
        let shown = User {
            display_name: person.name.map(str::to_owned).or_else(|| user.display_name.clone()),
            email: person.email.map(str::to_owned).or_else(|| user.email.clone()),
            ..user
        };
        self.put(&shown, Expect::Any).await?;
        Ok(Some(shown))
    }

    /// Binds who was announced, once; else makes a user without any right.
    async fn newcomer(&mut self, person: &Vouched<'_>, now: Timestamp) -> Result<User, WelcomeError> {
        if let Some(email) = person.email
            && let Some(awaited) = self.user_of(&person.provider.issuer, &User::awaited(email)).await?
        {
            let user = User {
                subject: person.subject.to_owned(),
                display_name: person.name.map(str::to_owned).or_else(|| awaited.display_name.clone()),
                ..awaited
            };
            self.put(&user, Expect::Any).await?;
            let provider = person.provider.name.as_str().into();
            self.note(Note { after: Some(provider), ..Note::new(Kind::User, "bound", &user.id) });
            return Ok(user);
        }
        if !person.provider.adopts {
            return Err(WelcomeError::Unknown);
        }
        let user = User {
            id: UserId::mint(now, rand::random()),
            name: self.free_name(person).await?,
            issuer: person.provider.issuer.clone(),
            subject: person.subject.to_owned(),
            display_name: person.name.map(str::to_owned),
            email: person.email.map(str::to_owned),
            disabled: false,
        };
        self.put(&user, Expect::New).await?;
        Ok(user)
    }

    /// A name to show and to write in documents. It identifies nobody, so any free one will do.
    async fn free_name(&mut self, person: &Vouched<'_>) -> Result<Name, ChangeError> {
        let local = person.email.and_then(|email| email.split('@').next());
        let wish = local.or(person.name).unwrap_or("person");
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let wish: String = wish.chars().take(40).map(plain).collect();
        let wish =
            Some(wish.trim_matches('-')).filter(|wish| !wish.is_empty()).unwrap_or("person").to_owned();
        for number in 1..=NAMES_MAX {
            let text = if number == 1 { wish.clone() } else { format!("{wish}-{number}") };
            let Ok(name) = text.parse::<Name>() else { continue };
            if self.find_named::<User>(&name).await?.is_none() {
                return Ok(name);
            }
        }
        let id = UserId::mint(self.now, rand::random()).to_string();
        id.parse().map_err(|_| ChangeError::Taken { kind: Kind::User, id: wish })
    }

    /// Membership in the groups that this provider decides about; others are none of its business.
    async fn follow_groups(&mut self, user: &User, person: &Vouched<'_>) -> Result<(), ChangeError> {
        let theirs: BTreeSet<GroupId> = person.provider.groups.values().copied().collect();
        let mapped = |value: &String| person.provider.groups.get(value).copied();
        let wanted: BTreeSet<GroupId> = person.groups.iter().filter_map(mapped).collect();
        let principal = PrincipalId::User(user.id);
        let rows: Vec<(String,)> = fetch_all!(
            &mut self.tx,
            (String,),
            "SELECT group_id FROM memberships WHERE member_id = $1",
            user.id.to_string()
        )?;
        let mut groups = BTreeSet::new();
        for (group,) in rows {
            groups.insert(group.parse().map_err(|_| StoreError::corrupt("memberships.group_id", &group))?);
        }
        let kept = groups.difference(&theirs).copied();
        let after: Vec<GroupId> = kept.chain(wanted).collect();
        self.set_groups_of(principal, &after).await
    }
}
