//! Headers that an administrator sets or removes on the way to an application and back. What the gateway itself writes, and
//! what says where a message ends, is not for rules.

use super::resolve::Mistake;
use http::{HeaderName, HeaderValue};
use postern_api::web::HeaderRules as Document;
use postern_canonical::{is_hop_by_hop, is_reserved};
use postern_policy::model::HeaderRules;
use std::collections::BTreeMap;

/// Rules of one application.
const RULES_MAX: usize = 64;
/// The longest value.
const VALUE_MAX: usize = 4 * 1024;

/// Which way a message goes.
#[derive(Clone, Copy)]
enum Way {
    Request,
    Response,
}

/// The rules as their document says.
pub(super) fn rules(document: &Document) -> Result<HeaderRules, Mistake> {
    let Document { request_set, request_remove, response_set, response_remove } = document;
    let count = request_set.len() + request_remove.len() + response_set.len() + response_remove.len();
    if count > RULES_MAX {
        return Err(format!("web.headers: {count} are named, at most {RULES_MAX} are supported"));
    }
    Ok(HeaderRules {
        request_set: set("web.headers.request_set", request_set, Way::Request)?,
        request_remove: removed("web.headers.request_remove", request_remove, Way::Request)?,
        response_set: set("web.headers.response_set", response_set, Way::Response)?,
        response_remove: removed("web.headers.response_remove", response_remove, Way::Response)?,
    })
}

fn set(field: &str, rules: &BTreeMap<String, String>, way: Way) -> Result<BTreeMap<String, String>, Mistake> {
    for (name, value) in rules {
        check_name(field, name, way)?;
        // Another cookie of the same answer would be lost, and ours could be set.
        if matches!(way, Way::Response) && name == "set-cookie" {
            return Err(format!("{field}: cookies are set by the application"));
        }
        let is_visible = HeaderValue::from_str(value).is_ok_and(|value| value.to_str().is_ok());
        if !is_visible || value.trim() != value || value.len() > VALUE_MAX {
            return Err(format!("{field}: the value of {name} is not one line of visible ASCII characters"));
        }
    }
    Ok(rules.clone())
}

fn removed(field: &str, names: &[String], way: Way) -> Result<Vec<String>, Mistake> {
    names.iter().try_for_each(|name| check_name(field, name, way))?;
    Ok(names.to_vec())
}

fn check_name(field: &str, name: &str, way: Way) -> Result<(), Mistake> {
    if HeaderName::from_bytes(name.as_bytes()).map_or(true, |parsed| parsed.as_str() != name) {
        return Err(format!("{field}: {name:?} is no header name in lower case"));
    }
    // Many servers read an underscore as a hyphen.
    let folded = name.replace('_', "-");
    let is_ours = match way {
        Way::Request => is_reserved(&folded),
        Way::Response => folded.starts_with("x-postern-") || folded == "alt-svc",
    };
    if is_ours {
        return Err(format!("{field}: {name} is the gateway's to write or to drop"));
    }
    if folded == "host" {
        return Err(format!("{field}: the host is chosen by web.upstream.host"));
    }
    if is_hop_by_hop(&folded) || matches!(folded.as_str(), "content-length" | "expect") {
        return Err(format!("{field}: {name} belongs to the connection, not to the message"));
    }
    Ok(())
}
