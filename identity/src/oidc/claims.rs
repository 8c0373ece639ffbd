//! What a provider says about a person, taken out of its claims and nothing made of what is missing.

use super::{Email, Rejected};
use postern_ids::Timestamp;
use serde_json::{Map, Value};

/// Groups of one person; more than this is an error of the provider's mapping.
const GROUPS_MAX: usize = 1_000;
/// The longest group name or id.
const GROUP_MAX: usize = 256;
/// The longest subject (OpenID Connect Core 1.0 section 2).
const SUBJECT_MAX: usize = 255;
/// Means of one sign-in.
const MEANS_MAX: usize = 16;
/// The longest word for how somebody signed in.
pub const ACR_MAX: usize = 128;
/// The longest name that is shown.
const NAME_MAX: usize = 128;

/// Where the groups of a person stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupSource {
    /// In the ID token.
    #[default]
    IdToken,
    /// In the answer of the userinfo endpoint.
    UserInfo,
}

/// How a provider's claims are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimRules {
    /// The claim with the groups, such as `groups` or `realm_access.roles`; none if groups of this provider play no role.
    pub groups: Option<String>,
    /// Where it stands.
    pub source: GroupSource,
}

/// A person as the provider vouches for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The provider's name for them: with the issuer, who they are.
    pub subject: String,
    /// An address, and only if the provider says that it verified it.
    pub email: Option<Email>,
    /// A name to show.
    pub name: Option<String>,
    /// The provider's groups; empty if there are none or they play no role.
    pub groups: Vec<String>,
    /// How the person proved who they are (`acr`).
    pub acr: Option<String>,
    /// With which means (`amr`, RFC 8176).
    pub amr: Vec<String>,
    /// When (`auth_time`).
    pub authenticated_at: Option<Timestamp>,
    /// The provider's own session (`sid`), which its logout tokens name.
    pub provider_session: Option<String>,
}

impl Person {
    /// Reads verified claims: those of the ID token, and the userinfo answer where there is one.
    pub(super) fn read(
        id_token: &Map<String, Value>,
        user_info: Option<&Map<String, Value>>,
        rules: &ClaimRules,
    ) -> Result<Self, Rejected> {
        let subject = text(id_token, "sub", SUBJECT_MAX)?.ok_or(Rejected::Claims)?;
        // The answer about somebody else is no answer (OpenID Connect Core 1.0 section 5.3.2).
        if let Some(info) = user_info
            && info.get("sub").and_then(Value::as_str) != Some(&subject)
        {
            return Err(Rejected::Subject);
        }
        let said = |name: &str| id_token.get(name).or_else(|| user_info.and_then(|info| info.get(name)));
        Ok(Self {
            email: email(said("email"), said("email_verified")),
            name: said("name").or_else(|| said("preferred_username")).and_then(shown),
            groups: groups(id_token, user_info, rules)?,
            acr: text(id_token, "acr", ACR_MAX)?,
            amr: list(id_token.get("amr"), NAME_MAX)
                .filter(|amr| amr.len() <= MEANS_MAX)
                .ok_or(Rejected::Claims)?,
            authenticated_at: seconds(id_token.get("auth_time"))?,
            provider_session: text(id_token, "sid", SUBJECT_MAX)?,
            subject,
        })
    }
}

/// An address counts only with `email_verified: true`, the boolean; a malformed one does not count at all (O6).
fn email(address: Option<&Value>, verified: Option<&Value>) -> Option<Email> {
    let address = address?.as_str()?;
    (verified == Some(&Value::Bool(true))).then(|| Email::parse(address).ok()).flatten()
}

fn groups(
    id_token: &Map<String, Value>,
    user_info: Option<&Map<String, Value>>,
    rules: &ClaimRules,
) -> Result<Vec<String>, Rejected> {
    let Some(claim) = &rules.groups else { return Ok(Vec::new()) };
    let claims = match rules.source {
        GroupSource::IdToken => id_token,
        GroupSource::UserInfo => user_info.ok_or(Rejected::Groups)?,
    };
    if is_elsewhere(claims, claim) {
        return Err(Rejected::Groups);
    }
    let found = list(at(claims, claim), GROUP_MAX).ok_or(Rejected::Groups)?;
    if found.len() > GROUPS_MAX { Err(Rejected::Groups) } else { Ok(found) }
}

/// Too many groups for a token: some providers put a reference there instead, or only a flag. Reading that as "no groups"
/// would be wrong in both directions (O7).
fn is_elsewhere(claims: &Map<String, Value>, claim: &str) -> bool {
    let first = claim.split('.').next().unwrap_or(claim);
    let referred = claims.get("_claim_names").and_then(Value::as_object);
    referred.is_some_and(|names| names.contains_key(first)) || claims.contains_key("hasgroups")
}

/// A claim by its path. A claim whose very name has dots in it, as a URL has, goes first.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let mut parts = path.split('.');
    let mut value = claims.get(parts.next()?)?;
    for part in parts {
        value = value.as_object()?.get(part)?;
    }
    Some(value)
}

/// A list of texts; an absent one is empty, anything else is nothing.
fn list(value: Option<&Value>, max: usize) -> Option<Vec<String>> {
    let Some(value) = value else { return Some(Vec::new()) };
    let good = |item: &Value| item.as_str().filter(|text| is_clean(text, max)).map(str::to_owned);
    value.as_array()?.iter().map(good).collect()
}

fn text(claims: &Map<String, Value>, name: &str, max: usize) -> Result<Option<String>, Rejected> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if is_clean(text, max) => Ok(Some(text.clone())),
        Some(_) => Err(Rejected::Claims),
    }
}

fn is_clean(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control)
}

/// Whether a word can be asked for in `acr_values`, where spaces stand between the words.
pub fn is_acr(word: &str) -> bool {
    !word.is_empty() && word.len() <= ACR_MAX && word.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What may be shown: cut and without control characters.
fn shown(value: &Value) -> Option<String> {
    let text: String = value.as_str()?.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn seconds(value: Option<&Value>) -> Result<Option<Timestamp>, Rejected> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let seconds = value.as_i64().filter(|seconds| (0..=253_402_300_799).contains(seconds));
    seconds.map(|seconds| Some(Timestamp::from_secs(seconds))).ok_or(Rejected::Claims)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn read(claims: &Value, groups: Option<&str>) -> Result<Person, Rejected> {
        let rules = ClaimRules { groups: groups.map(str::to_owned), source: GroupSource::IdToken };
        Person::read(&map(claims), None, &rules)
    }

    #[test]
    fn o06_only_an_address_that_the_provider_verified_counts() {
        let email = |claims: &Value| read(claims, None).unwrap().email.map(|email| email.to_string());
        let verified = json!({ "sub": "1", "email": "Alice@example.com", "email_verified": true });
        assert_eq!(email(&verified).as_deref(), Some("alice@example.com"));
        for claims in [
            json!({ "sub": "1", "email": "alice@example.com" }),
            json!({ "sub": "1", "email": "alice@example.com", "email_verified": false }),
            json!({ "sub": "1", "email": "alice@example.com", "email_verified": "true" }),
            json!({ "sub": "1", "email": "alice@example.com", "email_verified": 1 }),
            json!({ "sub": "1", "email": "a@good.com@evil.com", "email_verified": true }),
            json!({ "sub": "1", "email": ["alice@example.com"], "email_verified": true }),
        ] {
            assert_eq!(email(&claims), None, "{claims}");
        }
    }

    #[test]
    fn o07_groups_that_cannot_be_read_are_no_groups_at_all_and_say_so() {
        let good = json!({ "sub": "1", "groups": ["a", "b"], "realm_access": { "roles": ["r"] }, "https://x/g": ["u"] });
        assert_eq!(read(&good, Some("groups")).unwrap().groups, ["a", "b"]);
        assert_eq!(read(&good, Some("realm_access.roles")).unwrap().groups, ["r"]);
        assert_eq!(read(&good, Some("https://x/g")).unwrap().groups, ["u"]);
        assert!(read(&good, None).unwrap().groups.is_empty());
        assert!(read(&json!({ "sub": "1" }), Some("groups")).unwrap().groups.is_empty());
        for claims in [
            json!({ "sub": "1", "_claim_names": { "groups": "src1" } }),
            json!({ "sub": "1", "hasgroups": true }),
            json!({ "sub": "1", "groups": "admins" }),
            json!({ "sub": "1", "groups": { "0": "admins" } }),
            json!({ "sub": "1", "groups": ["a", 1] }),
            json!({ "sub": "1", "groups": ["a\n"] }),
            json!({ "sub": "1", "groups": ["x".repeat(300)] }),
            json!({ "sub": "1", "groups": vec!["g"; 10_000] }),
        ] {
            assert_eq!(read(&claims, Some("groups")), Err(Rejected::Groups), "{claims}");
        }
        let rules = ClaimRules { groups: Some("groups".into()), source: GroupSource::UserInfo };
        assert_eq!(Person::read(&map(&good), None, &rules), Err(Rejected::Groups));
    }

    #[test]
    fn o08_userinfo_about_somebody_else_is_refused() {
        let rules = ClaimRules { groups: Some("groups".into()), source: GroupSource::UserInfo };
        let info = |subject: &str| map(&json!({ "sub": subject, "groups": ["a"] }));
        let token = map(&json!({ "sub": "1" }));
        assert_eq!(Person::read(&token, Some(&info("1")), &rules).unwrap().groups, ["a"]);
        assert_eq!(Person::read(&token, Some(&info("2")), &rules), Err(Rejected::Subject));
    }

    #[test]
    fn malformed_claims_are_refused_and_names_are_only_shown() {
        for claims in [
            json!({}),
            json!({ "sub": "" }),
            json!({ "sub": 1 }),
            json!({ "sub": "x".repeat(256) }),
            json!({ "sub": "1", "auth_time": "now" }),
            json!({ "sub": "1", "auth_time": -1 }),
            json!({ "sub": "1", "amr": "pwd" }),
            json!({ "sub": "1", "sid": 7 }),
        ] {
            assert_eq!(read(&claims, None), Err(Rejected::Claims), "{claims}");
        }
        let person =
            read(&json!({ "sub": "1", "name": "\u{1b}[31mAl\nice", "amr": ["mfa"], "auth_time": 9 }), None);
        let person = person.unwrap();
        assert_eq!(person.name.as_deref(), Some("[31mAlice"));
        assert_eq!(
            (person.amr.as_slice(), person.authenticated_at),
            (&["mfa".to_owned()][..], Some(Timestamp::from_secs(9)))
        );
    }
}
