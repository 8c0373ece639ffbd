//! Enrolment tokens: let a connector register its own key at a site.

use super::SecretHash;
use crate::{
    Actor, Change, ChangeError, Expect, Kind, Store, StoreError, Stored,
    change::{Note, count},
    db::{execute, fetch_all, fetch_optional},
};
use postern_ids::{ConnectorId, Name, SiteId, Timestamp, TokenId};
use postern_policy::model::{Connector, ConnectorState};
use std::{collections::HashSet, time::Duration};

/// How long an ephemeral connector is remembered after it was last seen.
const EPHEMERAL_FOR: Duration = Duration::from_secs(30 * 60);

/// An enrolment token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// Its id.
    pub id: TokenId,
    /// The site that the connectors will serve.
    pub site: SiteId,
    /// How many connectors may still enroll with it.
    pub uses_left: u32,
    /// Whether the connectors vanish some time after they went offline.
    pub ephemeral: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being good.
    pub expires_at: Timestamp,
}

/// What a connector brings to its enrolment.
#[derive(Debug, Clone)]
pub struct ConnectorKey {
    /// The id it will have, if it is not known yet.
    pub id: ConnectorId,
    /// The name it asks for; unique.
    pub name: Name,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
}

/// Why a connector was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The token was good, and has no use left.
    #[error("the enrolment token was used before")]
    Used,
    /// The token is unknown, revoked or expired.
    #[error("the enrolment token is not good")]
    Token,
    /// The connector could not be stored.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

type Columns = (String, String, i64, bool, i64, i64);

fn parse(
    (id, site, uses_left, ephemeral, created_at, expires_at): Columns,
) -> Result<EnrolmentToken, StoreError> {
    Ok(EnrolmentToken {
        site: site.parse().map_err(|_| StoreError::corrupt("enrolment_tokens.site_id", &id))?,
        id: id.parse().map_err(|_| StoreError::corrupt("enrolment_tokens.id", &id))?,
        uses_left: u32::try_from(count(uses_left, "enrolment_tokens.uses_left")?).unwrap_or(u32::MAX),
        ephemeral,
        created_at: Timestamp::from_micros(created_at),
        expires_at: Timestamp::from_micros(expires_at),
    })
}

/// The connector that this key made under this token before: its answer was lost on the way.
async fn enrolled_before(
    change: &mut Change,
    hash: SecretHash,
    key: &ConnectorKey,
    now: Timestamp,
) -> Result<Option<Stored<Connector>>, ChangeError> {
    let row: Option<(String,)> = fetch_optional!(
        &mut change.tx,
        (String,),
        "SELECT c.id FROM connectors c JOIN enrolment_tokens t ON t.id = c.enrolled_by
         WHERE t.hash = $1 AND t.expires_at > $2 AND c.public_key = $3",
        hash.to_vec(),
        now.as_micros(),
        key.public_key.to_vec()
    )?;
    let Some((id,)) = row else { return Ok(None) };
    let id = id.parse().map_err(|_| StoreError::corrupt("connectors.id", id))?;
    let found = change.find::<Connector>(&id).await?;
    Ok(found.filter(|connector| connector.value.state == ConnectorState::Active))
}

/// Why a token was not good: whoever shows one that was used is told, for somebody else may have used it.
async fn why_not(change: &mut Change, hash: SecretHash, now: Timestamp) -> Result<EnrolError, ChangeError> {
    let used: Option<(String,)> = fetch_optional!(
        &mut change.tx,
        (String,),
        "SELECT id FROM enrolment_tokens WHERE hash = $1 AND uses_left = 0 AND expires_at > $2",
        hash.to_vec(),
        now.as_micros()
    )?;
    Ok(if used.is_some() { EnrolError::Used } else { EnrolError::Token })
}

impl Change {
    /// Stores an enrolment token.
    pub async fn put_enrolment_token(
        &mut self,
        token: &EnrolmentToken,
        hash: SecretHash,
    ) -> Result<(), ChangeError> {
        let done = execute!(
            &mut self.tx,
            "INSERT INTO enrolment_tokens (id, hash, site_id, uses_left, ephemeral, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            token.id.to_string(),
            hash.to_vec(),
            token.site.to_string(),
            i64::from(token.uses_left),
            token.ephemeral,
            token.created_at.as_micros(),
            token.expires_at.as_micros()
        )
        .map_err(|error| error.about(Kind::EnrolmentToken, &token.id));
        self.watch(done)?;
        let site = token.site.to_string();
        self.note(Note { after: Some(site.into()), ..Note::new(Kind::EnrolmentToken, "created", &token.id) });
        Ok(())
    }

    /// Revokes an enrolment token; connectors that used it stay.
    pub async fn delete_enrolment_token(&mut self, id: TokenId) -> Result<(), ChangeError> {
        let done = execute!(&mut self.tx, "DELETE FROM enrolment_tokens WHERE id = $1", id.to_string());
        if self.watch(done.map_err(ChangeError::from))? == 0 {
            return self.watch(Err(ChangeError::Missing { kind: Kind::EnrolmentToken, id: id.to_string() }));
        }
        self.note(Note::new(Kind::EnrolmentToken, "revoked", &id));
        Ok(())
    }
}

impl Store {
    /// The enrolment tokens that are still good, newest first.
    pub async fn enrolment_tokens(&self, now: Timestamp) -> Result<Vec<EnrolmentToken>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<Columns> = fetch_all!(
            &mut tx,
            Columns,
            "SELECT id, site_id, uses_left, ephemeral, created_at, expires_at FROM enrolment_tokens
             WHERE uses_left > 0 AND expires_at > $1 ORDER BY id DESC",
            now.as_micros()
        )?;
        rows.into_iter().map(parse).collect()
    }

    /// Spends one use of the token and registers the connector, in one transaction. The same key presented again under
    /// the same token gets the connector it made before, so an answer lost on the way costs nothing.
    pub async fn enroll(
        &self,
        hash: SecretHash,
        key: &ConnectorKey,
        now: Timestamp,
    ) -> Result<Stored<Connector>, EnrolError> {
        let actor = Actor::Connector { id: key.id };
        let mut change = self.change(actor, now).await.map_err(ChangeError::from)?;
        if let Some(known) = enrolled_before(&mut change, hash, key, now).await? {
            change.rollback().await.map_err(ChangeError::from)?;
            return Ok(known);
        }
        let token: Option<(String, String, bool)> = fetch_optional!(
            &mut change.tx,
            (String, String, bool),
            "UPDATE enrolment_tokens SET uses_left = uses_left - 1 WHERE hash = $1 AND uses_left > 0 AND expires_at > $2
             RETURNING id, site_id, ephemeral",
            hash.to_vec(),
            now.as_micros()
        )
        .map_err(ChangeError::from)?;
        let Some((token, site, ephemeral)) = token else {
            return Err(why_not(&mut change, hash, now).await?);
        };
        let site = site
            .parse()
            .map_err(|_| ChangeError::from(StoreError::corrupt("enrolment_tokens.site_id", site)))?;
        let connector = Connector {
            id: key.id,
            site,
            name: key.name.clone(),
            public_key: key.public_key,
            state: ConnectorState::Active,
            ephemeral,
        };
        let version = change.put(&connector, Expect::New).await?;
        execute!(
            &mut change.tx,
            "UPDATE connectors SET enrolled_by = $2, seen_at = $3 WHERE id = $1",
            key.id.to_string(),
            &token,
            now.as_micros()
        )
        .map_err(ChangeError::from)?;
        change.note(Note { after: Some(token.into()), ..Note::new(Kind::Connector, "enrolled", &key.id) });
        change.commit().await?;
        Ok(Stored { value: connector, version, created_at: now, updated_at: now })
    }

    /// Notes which connectors are online; only ephemeral ones are written.
    pub async fn connectors_seen(&self, online: &[ConnectorId], now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.inner.pools.write().await?;
        let ephemeral: Vec<(String,)> =
            fetch_all!(&mut tx, (String,), "SELECT id FROM connectors WHERE ephemeral")?;
        let online: HashSet<String> = online.iter().map(ToString::to_string).collect();
        for (id,) in ephemeral.into_iter().filter(|(id,)| online.contains(id)) {
            execute!(&mut tx, "UPDATE connectors SET seen_at = $2 WHERE id = $1", id, now.as_micros())?;
        }
        tx.commit().await
    }

    /// Removes ephemeral connectors that were not seen for 30 min, and says which.
    pub async fn reap_ephemeral_connectors(&self, now: Timestamp) -> Result<Vec<ConnectorId>, ChangeError> {
        let mut change = self.change(Actor::system("ephemeral_connector_gone"), now).await?;
        let gone: Vec<(String,)> = fetch_all!(
            &mut change.tx,
            (String,),
            "SELECT id FROM connectors WHERE ephemeral AND (seen_at IS NULL OR seen_at < $1)",
            now.minus(EPHEMERAL_FOR).as_micros()
        )?;
        let mut reaped = Vec::with_capacity(gone.len());
        for (id,) in gone {
            let id = id.parse().map_err(|_| StoreError::corrupt("connectors.id", id))?;
            change.delete::<Connector>(&id, Expect::Any).await?;
            reaped.push(id);
        }
        change.commit().await?;
        Ok(reaped)
    }
}
