//! How each kind of object lies in its table: the object as JSON in `body`, and beside it the columns that the database
//! itself must watch over (unique names and keys, references).

use super::{Object, Provider, ServiceAccount, User};
use crate::{
    Kind,
    db::{DbError, Tx, execute},
};
use postern_ids::{
    ConnectorId, GrantId, GroupId, Name, PolicyId, ResourceId, ServiceAccountId, SiteId, Timestamp, UserId,
};
use postern_policy::model::{Connector, Grant, Group, PolicyText, Resource, Site, Threshold, Window};
use serde::{Serialize, de::DeserializeOwned};

/// The statements of one table. Only this crate implements it.
pub trait Row: Serialize + DeserializeOwned + PartialEq {
    #[doc(hidden)]
    const TABLE: &'static str;
    #[doc(hidden)]
    const SELECT_ALL: &'static str;
    #[doc(hidden)]
    const SELECT_BY_ID: &'static str;
    #[doc(hidden)]
    const SELECT_BY_NAME: &'static str;
    #[doc(hidden)]
    const DELETE: &'static str;
    /// Whether the id is minted, so that no other object may ever get it; a name may be used again.
    #[doc(hidden)]
    const RETIRES_IDS: bool;
    #[doc(hidden)]
    fn insert(
        &self,
        tx: &mut Tx,
        body: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, DbError>> + Send;
    #[doc(hidden)]
    fn update(
        &self,
        tx: &mut Tx,
        body: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, DbError>> + Send;
}

macro_rules! select {
    ($table:literal, $rest:literal) => {
        concat!("SELECT id, body, version, created_at, updated_at FROM ", $table, " ", $rest)
    };
}

/// `extra` columns take the placeholders from `$5` on, which each line states.
macro_rules! tables {
    ($($type:ty = $kind:ident in $table:literal, id $id:ident: $id_type:ty $(, $column:literal = $n:literal: $bind:expr)*;)*) => {$(
        impl Row for $type {
            const TABLE: &'static str = $table;
            const SELECT_ALL: &'static str = select!($table, "ORDER BY name");
            const SELECT_BY_ID: &'static str = select!($table, "WHERE id = $1");
            const SELECT_BY_NAME: &'static str = select!($table, "WHERE name = $1");
            const DELETE: &'static str = concat!("DELETE FROM ", $table, " WHERE id = $1");
            const RETIRES_IDS: bool = !matches!(Kind::$kind, Kind::Window | Kind::Threshold | Kind::Provider);

            async fn insert(&self, tx: &mut Tx, body: &str, now: Timestamp) -> Result<u64, DbError> {
                execute!(
                    tx,
                    concat!(
                        "INSERT INTO ", $table, " (id, name, body, created_at, updated_at, version", $(", ", $column,)*
                        ") VALUES ($1, $2, $3, $4, $4, 1", $(", $", $n,)* ")"
                    ),
                    self.id().to_string(), self.name().as_str(), body, now.as_micros() $(, ($bind)(self))*
                )
            }

            async fn update(&self, tx: &mut Tx, body: &str, now: Timestamp) -> Result<u64, DbError> {
                execute!(
                    tx,
                    concat!(
                        "UPDATE ", $table, " SET name = $2, body = $3, updated_at = $4, version = version + 1",
                        $(", ", $column, " = $", $n,)* " WHERE id = $1"
                    ),
                    self.id().to_string(), self.name().as_str(), body, now.as_micros() $(, ($bind)(self))*
                )
            }
        }

        impl Object for $type {
            type Id = $id_type;
            const KIND: Kind = Kind::$kind;

            fn id(&self) -> Self::Id {
                self.$id.clone()
            }

            fn name(&self) -> &Name {
                &self.name
            }
        }
    )*};
}

tables! {
    Site = Site in "sites", id id: SiteId;
    Connector = Connector in "connectors", id id: ConnectorId,
        "site_id" = "5": |c: &Connector| c.site.to_string(),
        "public_key" = "6": |c: &Connector| c.public_key.to_vec(),
        "ephemeral" = "7": |c: &Connector| c.ephemeral;
    Resource = Resource in "resources", id id: ResourceId,
        "site_id" = "5": |r: &Resource| r.site.to_string();
    User = User in "users", id id: UserId,
        "issuer" = "5": |u: &User| u.issuer.clone(),
        "subject" = "6": |u: &User| u.subject.clone(),
        "disabled" = "7": |u: &User| u.disabled;
    Provider = Provider in "providers", id name: Name,
        "issuer" = "5": |p: &Provider| p.issuer.clone();
    Group = Group in "groups", id id: GroupId;
    ServiceAccount = ServiceAccount in "service_accounts", id id: ServiceAccountId,
        "disabled" = "5": |a: &ServiceAccount| a.disabled;
    Grant = Grant in "grants", id id: GrantId;
    PolicyText = Policy in "policies", id id: PolicyId;
    Window = Window in "windows", id name: Name;
    Threshold = Threshold in "thresholds", id name: Name;
}
