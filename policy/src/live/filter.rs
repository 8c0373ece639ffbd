//! Which live sessions are meant, and what can be seen of them.

use crate::{
    Action,
    model::{Principal, Resource},
};
use postern_ids::{ConnectorId, ResourceId, SessionId, SignInId, Timestamp, UserId};
use std::{net::IpAddr, sync::Arc};

/// Selects live sessions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// All of them.
    All,
    /// One of them.
    Session(SessionId),
    /// Those of one user.
    User(UserId),
    /// Those behind one sign-in.
    SignIn(SignInId),
    /// Those at one resource.
    Resource(ResourceId),
    /// Those carried by one connector.
    Connector(ConnectorId),
}

/// What can be seen of a live session.
#[derive(Debug, Clone)]
pub struct LiveView {
    /// Which session.
    pub session: SessionId,
    /// Whose.
    pub principal: Arc<Principal>,
    /// Behind which sign-in.
    pub sign_in: Option<SignInId>,
    /// At what.
    pub resource: Arc<Resource>,
    /// Doing what.
    pub action: Action,
    /// From where.
    pub source: IpAddr,
    /// Carried by which connector, once that is known.
    pub connector: Option<ConnectorId>,
    /// Since when.
    pub started_at: Timestamp,
    /// At most until when; [`Timestamp::MAX`] is no limit.
    pub expires_at: Timestamp,
    /// The revision it was last allowed on.
    pub revision: u64,
}
