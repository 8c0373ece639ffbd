//! The only SQL of the project: Postgres and SQLite behind one set of statements, the node's journal, the change feed.
//!
//! This crate knows what is stored and how it stays whole: transactions, versions, hash chains, seals. It must never know
//! HTTP, tunnels, or who is connected. Time, ids and secrets come from the caller.

mod chain;
mod change;
mod cleaning;
mod config;
mod credentials;
mod db;
mod error;
mod feed;
mod handle;
pub mod journal;
mod kind;
mod master_keys;
mod nodes;
mod objects;
mod open;
mod passing;
mod principal;
mod records;
mod schema;
mod seal;
mod snapshot;
mod version;
mod wake;

pub use change::{Actor, Change, Revision};
pub use config::{Database, StoreConfig};
pub use credentials::{
    AppToken, AuthorizationCode, BootstrapError, CodeRedemption, ConnectorKey, DeviceApproval,
    DeviceAuthorization, DevicePoll, DeviceState, Due, DueRefresh, EnrolError, EnrolmentToken, KeyKind,
    NewOwner, ProviderWord, RefreshOutcome, RefreshToken, SecretHash, ServiceToken, SignIn, SignedOut,
    SigningKey,
};
pub use error::{ChangeError, OpenError, StoreError};
pub use feed::{ChangeFeed, Changed, Changes, Confirmed, News};
pub use handle::Store;
pub use kind::Kind;
pub use master_keys::{ProvenKeys, SealKeeper, SealNews};
pub use objects::{LocalAccount, Object, Provider, ServiceAccount, Stored, User, Vouched, WelcomeError};
pub use records::{
    AuditEntry, AuditVerdict, DecisionEntry, DeniedAct, SessionEntry, SessionFilter, SuppressedActs,
};
pub use snapshot::SnapshotLoader;
pub use version::{Expect, Version};
