//! Sign-ins: the sessions of people behind tokens and admitted sessions.

use super::{SecretHash, let_in};
use crate::{
    Actor, ChangeError, Kind, Revision, Store, StoreError,
    change::Note,
    db::{Tx, execute, fetch_all, fetch_optional},
};
use postern_ids::{SignInId, Timestamp, UserId};

/// One sign-in of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// Who signed in.
    pub user: UserId,
    /// The OAuth client it was made for, such as `postern-cli`.
    pub client_id: String,
    /// Which provider proved the person; `local` for local accounts.
    pub idp: String,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When a second factor was last checked.
    pub mfa_at: Option<Timestamp>,
    /// How they proved it, in the provider's own word (`acr`).
    pub acr: Option<String>,
    /// With which means (`amr`).
    pub amr: Vec<String>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it ended early, if it did.
    pub ended_at: Option<Timestamp>,
    /// Why it ended early.
    pub end_reason: Option<String>,
}

impl SignIn {
    /// Whether it is neither ended nor expired.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// What policy may know of it.
    pub fn facts(&self) -> postern_policy::model::SignIn {
        postern_policy::model::SignIn {
            id: self.id,
            at: self.authenticated_at,
            mfa_at: self.mfa_at,
            acr: self.acr.as_deref().map(Into::into),
            amr: self.amr.iter().map(|means| means.as_str().into()).collect(),
            expires_at: self.expires_at,
            idp: self.idp.as_str().into(),
        }
    }
}

type Columns = (
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    i64,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Between the means of one sign-in: no means has it in its name.
const BETWEEN_MEANS: &str = "\n";

fn parse(row: Columns) -> Result<SignIn, StoreError> {
    let (id, user, client_id, idp, authenticated_at, mfa_at, expires_at, ended_at, end_reason, acr, amr) =
        row;
    let amr = amr.unwrap_or_default();
    Ok(SignIn {
        user: user.parse().map_err(|_| StoreError::corrupt("sign_ins.user_id", &id))?,
        id: id.parse().map_err(|_| StoreError::corrupt("sign_ins.id", &id))?,
        client_id,
        idp,
        authenticated_at: Timestamp::from_micros(authenticated_at),
        mfa_at: mfa_at.map(Timestamp::from_micros),
        acr,
        amr: amr.split(BETWEEN_MEANS).filter(|means| !means.is_empty()).map(str::to_owned).collect(),
        expires_at: Timestamp::from_micros(expires_at),
        ended_at: ended_at.map(Timestamp::from_micros),
        end_reason,
    })
}

/// What a new sign-in rests on.
#[derive(Debug, Clone, Copy)]
pub(super) enum RestsOn {
    /// A proof of this moment.
    Proof,
    /// One whose browser is known by this cookie.
    ProofWithCookie(SecretHash),
    /// The sign-in in which a person let it in.
    Origin,
}

pub(super) async fn begin(
    store: &Store,
    sign_in: &SignIn,
    rests_on: RestsOn,
    now: Timestamp,
) -> Result<(), ChangeError> {
    let mut change = store.change(Actor::User { id: sign_in.user, sign_in: Some(sign_in.id) }, now).await?;
    let id = sign_in.id.to_string();
    // Under the lock of changes: a user who is being disabled gets no sign-in that outlives it.
    let enabled: Option<(String,)> = fetch_optional!(
        &mut change.tx,
        (String,),
        "SELECT id FROM users WHERE id = $1 AND NOT disabled",
        sign_in.user.to_string()
    )?;
    if enabled.is_none() {
        return Err(ChangeError::Missing { kind: Kind::User, id: sign_in.user.to_string() });
    }
    let cookie = match rests_on {
        RestsOn::ProofWithCookie(hash) => Some(hash),
        RestsOn::Proof | RestsOn::Origin => None,
    };
    insert(&mut change.tx, sign_in, cookie, now).await?;
    if let RestsOn::Origin = rests_on {
        let_in::follow(&mut change.tx, &id).await?;
    }
    change.note(Note {
        after: Some(sign_in.client_id.as_str().into()),
        ..Note::new(Kind::SignIn, "begun", &id)
    });
    change.commit().await.map(drop)
}

async fn insert(
    tx: &mut Tx,
    sign_in: &SignIn,
    cookie: Option<SecretHash>,
    now: Timestamp,
) -> Result<(), ChangeError> {
    execute!(
        tx,
        "INSERT INTO sign_ins (id, user_id, client_id, idp, authenticated_at, mfa_at, expires_at, cookie_hash, used_at, acr, amr)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        sign_in.id.to_string(),
        sign_in.user.to_string(),
        &sign_in.client_id,
        &sign_in.idp,
        sign_in.authenticated_at.as_micros(),
        sign_in.mfa_at.map(Timestamp::as_micros),
        sign_in.expires_at.as_micros(),
        cookie.map(SecretHash::to_vec),
        now.as_micros(),
        sign_in.acr.as_deref(),
        Some(sign_in.amr.join(BETWEEN_MEANS)).filter(|amr| !amr.is_empty())
    )
    .map_err(|error| error.about(Kind::SignIn, &sign_in.id))?;
    Ok(())
}

pub(super) async fn select_by_cookie(tx: &mut Tx, cookie: SecretHash) -> Result<Option<SignIn>, StoreError> {
    let row: Option<Columns> = fetch_optional!(
        tx,
        Columns,
        "SELECT id, user_id, client_id, idp, authenticated_at, mfa_at, expires_at, ended_at, end_reason, acr, amr FROM sign_ins WHERE cookie_hash = $1",
        cookie.to_vec()
    )?;
    row.map(parse).transpose()
}

pub(super) async fn select(tx: &mut Tx, id: SignInId) -> Result<Option<SignIn>, StoreError> {
    let row: Option<Columns> = fetch_optional!(
        tx,
        Columns,
        "SELECT id, user_id, client_id, idp, authenticated_at, mfa_at, expires_at, ended_at, end_reason, acr, amr FROM sign_ins WHERE id = $1",
        id.to_string()
    )?;
    row.map(parse).transpose()
}

impl Store {
    /// Stores a new sign-in and audits it. Moves no revision: a sign-in takes no right from anybody. `Missing` when the
    /// user is gone or disabled.
    pub async fn begin_sign_in(&self, sign_in: &SignIn, now: Timestamp) -> Result<(), ChangeError> {
        begin(self, sign_in, RestsOn::Proof, now).await
    }

    /// Stores the sign-in of a command that a person let in from their browser: what proves them there, proves them here.
    /// `Missing` as well when that was taken back meanwhile.
    pub async fn begin_let_in_sign_in(&self, sign_in: &SignIn, now: Timestamp) -> Result<(), ChangeError> {
        begin(self, sign_in, RestsOn::Origin, now).await
    }

    /// The sign-in with this id, live or not.
    pub async fn sign_in(&self, id: SignInId) -> Result<Option<SignIn>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        select(&mut tx, id).await
    }

    /// The live sign-ins of a person, newest first.
    pub async fn sign_ins_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SignIn>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<Columns> = fetch_all!(
            &mut tx,
            Columns,
            "SELECT id, user_id, client_id, idp, authenticated_at, mfa_at, expires_at, ended_at, end_reason, acr, amr FROM sign_ins
             WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY id DESC",
            user.to_string(),
            now.as_micros()
        )?;
        rows.into_iter().map(parse).collect()
    }

    /// Ends a sign-in for good and moves the revision, so that its live sessions are cut. Ending an ended one changes
    /// nothing.
    pub async fn end_sign_in(
        &self,
        id: SignInId,
        reason: &str,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Revision, ChangeError> {
        let mut change = self.change(by.clone(), now).await?;
        let ended = execute!(
            &mut change.tx,
            "UPDATE sign_ins SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
            id.to_string(),
            now.as_micros(),
            reason
        )?;
        if ended > 0 {
            change.touch(Kind::SignIn, &id);
            change.note(Note { after: Some(reason.into()), ..Note::new(Kind::SignIn, "ended", &id) });
        }
        change.commit().await
    }
}
