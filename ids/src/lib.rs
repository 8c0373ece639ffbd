//! Typed ids, checked names, time stamps and the closed list of ways a session can be refused or end.
//!
//! Everything here is data: no clock, no randomness, no I/O. Time and entropy come from the caller.
#![forbid(unsafe_code)]

mod ended;
mod id;
mod name;
mod time;

pub use ended::{Ended, Refusal};
pub use id::{
    ConnectorId, DecisionId, GrantId, GroupId, InstanceId, NodeId, ParseIdError, PolicyId, ResourceId,
    ServiceAccountId, SessionId, SignInId, SiteId, StreamId, TokenId, UserId,
};
pub use name::{LabelKey, LabelValue, Name, NameError};
pub use time::Timestamp;
