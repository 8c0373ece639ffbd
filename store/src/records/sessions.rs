//! Sessions: who reached what, from when to when, and how it ended.

use crate::{
    Store, StoreError,
    change::count,
    db::{fetch_all, fetch_optional},
};
use postern_ids::{DecisionId, Ended, NodeId, ResourceId, SessionId, SignInId, Timestamp};
use serde::Deserialize;
use std::net::IpAddr;

/// The longest page.
const PAGE_MAX: u32 = 1000;
/// Sorts after every id, in every collation: the highest digit in all places.
const AFTER_ALL_IDS: &str = "ses_zzzzzzzzzzzzzzzzzzzzzzzzzz";

/// One session as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEntry {
    /// Its id.
    pub id: SessionId,
    /// The decision that admitted it, or last let it go on.
    pub decision: DecisionId,
    /// Where the caller was at that decision.
    pub source: Option<IpAddr>,
    /// Who.
    pub principal: String,
    /// Under which sign-in.
    pub sign_in: Option<SignInId>,
    /// What was reached.
    pub resource: ResourceId,
    /// The gateway that carries or carried it.
    pub node: NodeId,
    /// How often it changed its gateway or link.
    pub generation: u32,
    /// When it was admitted.
    pub started_at: Timestamp,
    /// How and when it ended, if it has.
    pub ended: Option<(Ended, Timestamp)>,
    /// Bytes from the principal to the target.
    pub bytes_up: u64,
    /// Bytes from the target to the principal.
    pub bytes_down: u64,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Only those that have not ended.
    pub live: bool,
    /// Only those of this principal.
    pub principal: Option<String>,
    /// Only those that reached this resource.
    pub resource: Option<ResourceId>,
    /// Only those older than this one, for the next page.
    pub before: Option<SessionId>,
}

/// `$1` is the id, `$2` whether only live ones count, `$3` the limit; more as the condition says.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, decision_id, principal, sign_in_id, resource_id, node_id, generation, started_at, ended_at, ended, bytes_up, bytes_down, ",
            "(SELECT a.body FROM decisions d JOIN audit a ON a.chain = d.chain AND a.sequence = d.sequence WHERE d.id = sessions.decision_id) ",
            "FROM sessions WHERE ",
            $condition,
            " AND (NOT $2 OR ended_at IS NULL) ORDER BY id DESC LIMIT $3"
        )
    };
}

type Columns = (
    String,
    String,
    String,
    Option<String>,
    String,
    String,
    i64,
    i64,
    Option<i64>,
    Option<String>,
    i64,
    i64,
    Option<String>,
);

/// The part of a decision's record that says where the caller was.
#[derive(Deserialize)]
struct Recorded {
    decision: Caller,
}

#[derive(Deserialize)]
struct Caller {
    source: IpAddr,
}

fn parse(row: Columns) -> Result<SessionEntry, StoreError> {
    let (
        id,
        decision,
        principal,
        sign_in,
        resource,
        node,
        generation,
        started_at,
        ended_at,
        ended,
        up,
        down,
        record,
    ) = row;
    let bad = |column: &str| StoreError::corrupt("sessions", format!("{id}: {column}"));
    let ended = match (ended, ended_at) {
        (Some(label), Some(at)) => {
            let ended = Ended::from_label(&label).ok_or_else(|| bad("ended"))?;
            Some((ended, Timestamp::from_micros(at)))
        }
        _ => None,
    };
    let recorded = record.map(|body| serde_json::from_str::<Recorded>(&body)).transpose();
    let recorded = recorded.map_err(|error| StoreError::corrupt("audit.body", error))?;
    Ok(SessionEntry {
        source: recorded.map(|recorded| recorded.decision.source),
        decision: decision.parse().map_err(|_| bad("decision_id"))?,
        principal,
        sign_in: sign_in.map(|id| id.parse()).transpose().map_err(|_| bad("sign_in_id"))?,
        resource: resource.parse().map_err(|_| bad("resource_id"))?,
        node: node.parse().map_err(|_| bad("node_id"))?,
        generation: u32::try_from(generation).map_err(|_| bad("generation"))?,
        started_at: Timestamp::from_micros(started_at),
        ended,
        bytes_up: count(up, "sessions.bytes_up")?,
        bytes_down: count(down, "sessions.bytes_down")?,
        id: id.parse().map_err(|_| StoreError::corrupt("sessions.id", &id))?,
    })
}

impl Store {
    /// Recorded sessions, newest first, at most 1,000.
    pub async fn sessions(
        &self,
        filter: &SessionFilter,
        limit: u32,
    ) -> Result<Vec<SessionEntry>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let before = filter.before.map_or_else(|| AFTER_ALL_IDS.to_owned(), |id| id.to_string());
        let limit = i64::from(limit.min(PAGE_MAX));
        let rows: Vec<Columns> = match (&filter.principal, filter.resource) {
            (None, None) => fetch_all!(&mut tx, Columns, select!("id < $1"), before, filter.live, limit),
            (Some(principal), None) => {
                fetch_all!(
                    &mut tx,
                    Columns,
                    select!("id < $1 AND principal = $4"),
                    before,
                    filter.live,
                    limit,
                    principal
                )
            }
            (None, Some(resource)) => {
                let resource = resource.to_string();
                fetch_all!(
                    &mut tx,
                    Columns,
                    select!("id < $1 AND resource_id = $4"),
                    before,
                    filter.live,
                    limit,
                    resource
                )
            }
            (Some(principal), Some(resource)) => fetch_all!(
                &mut tx,
                Columns,
                select!("id < $1 AND principal = $4 AND resource_id = $5"),
                before,
                filter.live,
                limit,
                principal,
                resource.to_string()
            ),
        }?;
        rows.into_iter().map(parse).collect()
    }

    /// The session with this id.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionEntry>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<Columns> =
            fetch_optional!(&mut tx, Columns, select!("id = $1"), id.to_string(), false, 1_i64)?;
        row.map(parse).transpose()
    }
}
