//! Sign-ins that rest on the word of an identity provider: which session of its own, what keeps them alive, and how they
//! end when it takes its word back.

use crate::{
    Actor, ChangeError, Kind, Store, StoreError,
    change::Note,
    db::{execute, fetch_all, fetch_optional},
    seal::Place,
};
use postern_ids::{Name, SignInId, Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};

const TABLE: &str = "sign_ins";
const COLUMN: &str = "provider_refresh_sealed";
const ID_TOKEN: &str = "provider_id_token_sealed";

/// Whom a provider signed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedOut<'a> {
    /// One session of its own.
    Session(&'a str),
    /// Everything of one person, by its name for them.
    Person(&'a str),
}

/// What a provider said beside a sign-in.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProviderWord<'a> {
    /// Its own session, which its logout tokens name.
    pub session: Option<&'a str>,
    /// What gets its next word.
    pub refresh_token: Option<&'a SecretString>,
    /// Its own token, which names the session when the person signs out here.
    pub id_token: Option<&'a SecretString>,
}

/// Which sign-ins are due for a question.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// Those of this provider,
    pub provider: &'a Name,
    /// about which it was last asked before,
    pub asked_before: Timestamp,
    /// and that were used since then, themselves or a command that was let in from them.
    pub used_after: Timestamp,
    /// At most so many.
    pub max: u32,
}

/// A sign-in about which its provider should be asked again.
#[derive(Debug, Clone)]
pub struct DueRefresh {
    /// Which sign-in.
    pub sign_in: SignInId,
    /// Whose.
    pub user: UserId,
    /// The provider's name for the person.
    pub subject: String,
    /// Gets the provider's next word.
    pub refresh_token: SecretString,
}

impl Store {
    /// Keeps what a provider said beside a sign-in. What it did not say this time stays as it was, except that without a
    /// refresh token it is not asked again.
    pub async fn keep_provider_word(
        &self,
        sign_in: SignInId,
        word: &ProviderWord<'_>,
        now: Timestamp,
    ) -> Result<(), ChangeError> {
        let id = sign_in.to_string();
        let seal = |column, token: &SecretString| {
            self.inner.seals.seal(Place { table: TABLE, id: &id, column }, token.expose_secret().as_bytes())
        };
        let refresh_token = word.refresh_token.map(|token| seal(COLUMN, token));
        let id_token = word.id_token.map(|token| seal(ID_TOKEN, token));
        let mut tx = self.inner.pools.write().await?;
        execute!(
            &mut tx,
            "UPDATE sign_ins SET provider_session = COALESCE($2, provider_session), provider_refresh_sealed = $3,
                provider_id_token_sealed = COALESCE($4, provider_id_token_sealed), provider_asked_at = $5 WHERE id = $1",
            &id,
            word.session,
            refresh_token,
            id_token,
            now.as_micros()
        )?;
        Ok(tx.commit().await?)
    }

    /// The provider's own token beside a sign-in, live or not.
    pub async fn provider_id_token(&self, sign_in: SignInId) -> Result<Option<SecretString>, StoreError> {
        let id = sign_in.to_string();
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(Option<Vec<u8>>,)> = fetch_optional!(
            &mut tx,
            (Option<Vec<u8>>,),
            "SELECT provider_id_token_sealed FROM sign_ins WHERE id = $1",
            &id
        )?;
        let Some((Some(sealed),)) = row else { return Ok(None) };
        let token = self.inner.seals.open(Place { table: TABLE, id: &id, column: ID_TOKEN }, &sealed)?;
        let token = std::str::from_utf8(&token).map_err(|_| StoreError::corrupt(ID_TOKEN, &id))?;
        Ok(Some(SecretString::from(token)))
    }

    /// Takes the sign-ins that are due, and notes that they are being asked about: of several gateways one gets each. One
    /// that has ended itself stays due while a command that was let in from it is used: the command rests on the same word.
    pub async fn take_due_refreshes(
        &self,
        due: &Due<'_>,
        now: Timestamp,
    ) -> Result<Vec<DueRefresh>, ChangeError> {
        let mut tx = self.inner.pools.write().await?;
        let rows: Vec<(String, String, Vec<u8>)> = fetch_all!(
            &mut tx,
            (String, String, Vec<u8>),
            "UPDATE sign_ins SET provider_asked_at = $4 WHERE id IN (
                SELECT o.id FROM sign_ins o WHERE o.idp = $1
                    AND o.provider_refresh_sealed IS NOT NULL AND o.provider_asked_at < $2
                    AND ((o.ended_at IS NULL AND o.expires_at > $4 AND o.used_at >= $5)
                        OR EXISTS (SELECT 1 FROM sign_ins c WHERE c.origin_id = o.id
                            AND c.ended_at IS NULL AND c.expires_at > $4 AND c.used_at >= $5))
                ORDER BY o.provider_asked_at LIMIT $3)
             RETURNING id, user_id, provider_refresh_sealed",
            due.provider.as_str(),
            due.asked_before.as_micros(),
            i64::from(due.max),
            now.as_micros(),
            due.used_after.as_micros()
        )?;
        let mut taken = Vec::new();
        for (id, user, sealed) in rows {
            let opened = self.inner.seals.open(Place { table: TABLE, id: &id, column: COLUMN }, &sealed);
            let token = opened.map_err(StoreError::from)?;
            let token = std::str::from_utf8(&token).map_err(|_| StoreError::corrupt(COLUMN, &id))?;
            let subject: Option<(String,)> =
                fetch_optional!(&mut tx, (String,), "SELECT subject FROM users WHERE id = $1", &user)?;
            let Some((subject,)) = subject else { continue };
            taken.push(DueRefresh {
                sign_in: id.parse().map_err(|_| StoreError::corrupt("sign_ins.id", &id))?,
                user: user.parse().map_err(|_| StoreError::corrupt("sign_ins.user_id", &user))?,
                subject,
                refresh_token: SecretString::from(token),
            });
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// Ends the sign-ins of commands that were let in from this one, and takes back those that have not begun.
    pub async fn end_sign_ins_resting_on(
        &self,
        origin: SignInId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), ChangeError> {
        let mut change = self.change(Actor::system("provider"), now).await?;
        let ended: Vec<(String,)> = fetch_all!(
            &mut change.tx,
            (String,),
            "UPDATE sign_ins SET ended_at = $2, end_reason = $3 WHERE origin_id = $1 AND ended_at IS NULL RETURNING id",
            origin.to_string(),
            now.as_micros(),
            reason
        )?;
        change.take_back_let_in_from(&origin.to_string()).await?;
        for (id,) in &ended {
            change.touch(Kind::SignIn, id);
            change.note(Note { after: Some(reason.into()), ..Note::new(Kind::SignIn, "ended", id) });
        }
        change.commit().await.map(drop)
    }

    /// Whether any sign-in, live or not, ever rested on this session of a provider.
    pub async fn knows_provider_session(&self, provider: &Name, session: &str) -> Result<bool, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(String,)> = fetch_optional!(
            &mut tx,
            (String,),
            "SELECT id FROM sign_ins WHERE idp = $1 AND provider_session = $2 LIMIT 1",
            provider.as_str(),
            session
        )?;
        Ok(row.is_some())
    }

    /// Ends the sign-ins that a provider signed out, and moves the revision, so that their sessions are cut. Gives how
    /// many there were.
    pub async fn end_sign_ins_of_provider(
        &self,
        provider: &Name,
        whom: &SignedOut<'_>,
        reason: &str,
        now: Timestamp,
    ) -> Result<usize, ChangeError> {
        let mut change = self.change(Actor::system("provider"), now).await?;
        let (by_session, key) = match *whom {
            SignedOut::Session(session) => (true, session),
            SignedOut::Person(subject) => (false, subject),
        };
        let ended: Vec<(String,)> = fetch_all!(
            &mut change.tx,
            (String,),
            "UPDATE sign_ins SET ended_at = $3, end_reason = $4
             WHERE idp = $1 AND ended_at IS NULL AND (
                ($5 AND provider_session = $2)
                OR (NOT $5 AND user_id IN (
                    SELECT u.id FROM users u JOIN providers p ON p.issuer = u.issuer WHERE p.id = $1 AND u.subject = $2)))
             RETURNING id",
            provider.as_str(),
            key,
            now.as_micros(),
            reason,
            by_session
        )?;
        for (id,) in &ended {
            change.touch(Kind::SignIn, id);
            change.note(Note { after: Some(reason.into()), ..Note::new(Kind::SignIn, "ended", id) });
        }
        change.take_back_let_in_of(provider, by_session, key).await?;
        change.commit().await?;
        Ok(ended.len())
    }
}
