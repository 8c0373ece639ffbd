//! The schema, and what follows from it.

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema};
use postern_ids::{GroupId, ResourceId, SiteId};
use std::sync::LazyLock;

use crate::model::{ActionKind, PrincipalId, PrincipalKind, ResourceKind};

/// The schema of stored rules as text.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// The schema of the built-in rules for administration as text.
pub const ADMIN_SCHEMA: &str = include_str!("admin.cedarschema");

/// [`SCHEMA`], parsed.
pub(crate) static ACCESS: LazyLock<Schema> = LazyLock::new(|| parsed(SCHEMA));

/// [`ADMIN_SCHEMA`], parsed.
pub(crate) static ADMIN: LazyLock<Schema> = LazyLock::new(|| parsed(ADMIN_SCHEMA));

fn parsed(text: &str) -> Schema {
    let (schema, _warnings) =
        Schema::from_cedarschema_str(text).expect("the schemas are part of this crate and tested");
    schema
}

/// The attributes that `context` has.
pub(crate) const CONTEXT_ATTRIBUTES: &[&str] =
    &["source", "windows", "sign_in_within", "mfa_within", "idp", "acr", "amr", "method", "path"];

/// Those of them that are sets of names, and can only be asked whether they contain one.
pub(crate) const NAMED_SETS: &[&str] = &["windows", "sign_in_within", "mfa_within", "acr", "amr"];

/// The attributes that `resource` has.
pub(crate) const RESOURCE_ATTRIBUTES: &[&str] = &["kind"];

/// The entity types that rules may name.
pub(crate) struct Types {
    pub(crate) user: EntityTypeName,
    pub(crate) service_account: EntityTypeName,
    pub(crate) anonymous: EntityTypeName,
    pub(crate) group: EntityTypeName,
    pub(crate) resource: EntityTypeName,
    pub(crate) site: EntityTypeName,
    pub(crate) kind: EntityTypeName,
    pub(crate) action: EntityTypeName,
}

pub(crate) static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let name = |text: &str| text.parse::<EntityTypeName>().expect("a plain identifier is a type name");
    Types {
        user: name("User"),
        service_account: name("ServiceAccount"),
        anonymous: name("Anonymous"),
        group: name("Group"),
        resource: name("Resource"),
        site: name("Site"),
        kind: name("Kind"),
        action: name("Action"),
    }
});

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// The entity of a principal.
pub(crate) fn principal_uid(id: PrincipalId) -> EntityUid {
    let text = id.to_string();
    uid(principal_type(id.kind()), &text)
}

/// The entity type of a kind of principal.
pub(crate) fn principal_type(kind: PrincipalKind) -> &'static EntityTypeName {
    match kind {
        PrincipalKind::User => &TYPES.user,
        PrincipalKind::ServiceAccount => &TYPES.service_account,
        PrincipalKind::Anonymous => &TYPES.anonymous,
    }
}

/// The entity of a group.
pub(crate) fn group_uid(id: GroupId) -> EntityUid {
    uid(&TYPES.group, &id.to_string())
}

/// The entity of a resource.
pub(crate) fn resource_uid(id: ResourceId) -> EntityUid {
    uid(&TYPES.resource, &id.to_string())
}

/// The entity of a site.
pub(crate) fn site_uid(id: SiteId) -> EntityUid {
    uid(&TYPES.site, &id.to_string())
}

/// The entity of a kind of resource.
pub(crate) fn kind_uid(kind: ResourceKind) -> EntityUid {
    uid(&TYPES.kind, kind.label())
}

/// The one entity that administration is about.
pub(crate) fn gateway_uid() -> EntityUid {
    uid(&"Gateway".parse().expect("a plain identifier is a type name"), "postern")
}

/// The entity of an action by its Cedar name.
pub(crate) fn action_uid(name: &str) -> EntityUid {
    uid(&TYPES.action, name)
}

/// The entity of an access action; made once, because every decision needs it.
pub(crate) fn access_uid(kind: ActionKind) -> &'static EntityUid {
    static CONNECT: LazyLock<EntityUid> = LazyLock::new(|| action_uid("connect"));
    static HTTP: LazyLock<EntityUid> = LazyLock::new(|| action_uid("http"));
    match kind {
        ActionKind::Connect => &CONNECT,
        ActionKind::Http => &HTTP,
    }
}
