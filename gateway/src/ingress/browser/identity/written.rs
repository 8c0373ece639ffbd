//! Which headers say it: ours always, those of other products where the resource lists them.

use super::value;
use http::{HeaderName, HeaderValue};
use postern_policy::model::{Compatible, PrincipalKind};
use postern_token::{
    AssertionClaims, KeyError, SigningKey, mint_assertion, mint_cloudflare_assertion, mint_pomerium_assertion,
};

type Written = (HeaderName, HeaderValue);

/// All headers for a principal of this kind.
pub(super) fn headers(
    claims: &AssertionClaims,
    kind: PrincipalKind,
    compatible: &[Compatible],
    key: &SigningKey,
) -> Result<Vec<Written>, KeyError> {
    let mut headers = Headers(Vec::new());
    headers.ours(claims, key)?;
    for product in compatible {
        match product {
            Compatible::Pomerium => headers.pomerium(claims, key)?,
            Compatible::CloudflareAccess => headers.cloudflare(claims, key)?,
            Compatible::Oauth2Proxy => headers.oauth2_proxy(claims),
            // It says nothing about programs.
            Compatible::TailscaleServe if kind == PrincipalKind::User => headers.tailscale(claims),
            Compatible::TailscaleServe => {}
            Compatible::RemoteUser => headers.remote_user(claims),
        }
    }
    Ok(headers.0)
}

struct Headers(Vec<Written>);

impl Headers {
    fn add(&mut self, name: &'static str, value: Option<HeaderValue>) {
        let value = value.filter(|value| !value.is_empty());
        self.0.extend(value.map(|value| (HeaderName::from_static(name), value)));
    }

    /// Plain ASCII: readable for every server, and for whoever decodes encoded words.
    fn ours(&mut self, claims: &AssertionClaims, key: &SigningKey) -> Result<(), KeyError> {
        self.add("x-postern-jwt-assertion", value::ascii(&mint_assertion(claims, key)?));
        self.add("x-postern-user", value::ascii(&claims.preferred_username));
        self.add("x-postern-email", claims.email.as_deref().and_then(value::ascii));
        self.add("x-postern-groups", value::ascii(&claims.groups.join(",")));
        Ok(())
    }

    fn pomerium(&mut self, claims: &AssertionClaims, key: &SigningKey) -> Result<(), KeyError> {
        self.add("x-pomerium-jwt-assertion", value::ascii(&mint_pomerium_assertion(claims, key)?));
        self.add("x-pomerium-claim-sub", value::utf8(&claims.sub));
        self.add("x-pomerium-claim-user", value::utf8(&claims.sub));
        self.add("x-pomerium-claim-email", claims.email.as_deref().and_then(value::utf8));
        self.add("x-pomerium-claim-name", value::utf8(&claims.name));
        self.add("x-pomerium-claim-groups", value::utf8(&claims.groups.join(",")));
        Ok(())
    }

    fn cloudflare(&mut self, claims: &AssertionClaims, key: &SigningKey) -> Result<(), KeyError> {
        self.add("cf-access-jwt-assertion", value::ascii(&mint_cloudflare_assertion(claims, key)?));
        self.add("cf-access-authenticated-user-email", claims.email.as_deref().and_then(value::utf8));
        Ok(())
    }

    /// The same four under both of its families: to applications behind it, and to servers that ask it.
    fn oauth2_proxy(&mut self, claims: &AssertionClaims) {
        let email = || claims.email.as_deref().and_then(value::utf8);
        let groups = value::utf8(&claims.groups.join(","));
        self.add("x-forwarded-user", value::utf8(&claims.sub));
        self.add("x-forwarded-email", email());
        self.add("x-forwarded-groups", groups.clone());
        self.add("x-forwarded-preferred-username", value::utf8(&claims.preferred_username));
        self.add("x-auth-request-user", value::utf8(&claims.sub));
        self.add("x-auth-request-email", email());
        self.add("x-auth-request-groups", groups);
        self.add("x-auth-request-preferred-username", value::utf8(&claims.preferred_username));
    }

    fn tailscale(&mut self, claims: &AssertionClaims) {
        let login = claims.email.as_deref().unwrap_or(&claims.preferred_username);
        self.add("tailscale-user-login", value::ascii(login));
        self.add("tailscale-user-name", value::ascii(&claims.name));
    }

    fn remote_user(&mut self, claims: &AssertionClaims) {
        self.add("remote-user", value::utf8(&claims.preferred_username));
        self.add("remote-name", value::utf8(&claims.name));
        self.add("remote-email", claims.email.as_deref().and_then(value::utf8));
        self.add("remote-groups", value::utf8(&claims.groups.join(",")));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use postern_ids::{SessionId, Timestamp};
    use postern_token::{Alg, Occasion, Subject};
    use std::collections::BTreeMap;

    const ALL: [Compatible; 5] = [
        Compatible::Pomerium,
        Compatible::CloudflareAccess,
        Compatible::Oauth2Proxy,
        Compatible::TailscaleServe,
        Compatible::RemoteUser,
    ];

    fn written(
        kind: PrincipalKind,
        email: Option<&str>,
        compatible: &[Compatible],
    ) -> BTreeMap<String, String> {
        let now = Timestamp::from_secs(1_800_000_000);
        let subject = Subject {
            id: "usr_01".to_owned(),
            username: "ada".to_owned(),
            name: Some("Ada Krūmiņa".to_owned()),
            email: email.map(str::to_owned),
            groups: vec!["developers".to_owned(), "on-call".to_owned()],
        };
        let session = SessionId::mint(now, [1; 10]);
        let occasion =
            Occasion { issuer: "https://gw.example", audience: "https://app.example", session, nonce: 1 };
        let claims = AssertionClaims::new(&subject, occasion, now);
        let key = SigningKey::generate(Alg::Es256).unwrap();
        let headers = headers(&claims, kind, compatible, &key).unwrap();
        headers.into_iter().map(|(name, value)| (name.to_string(), shown(&value))).collect()
    }

    fn shown(value: &HeaderValue) -> String {
        String::from_utf8(value.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn h10_every_name_that_is_written_is_stripped_from_what_clients_send() {
        for name in written(PrincipalKind::User, Some("ada@example.com"), &ALL).keys() {
            assert!(postern_canonical::is_reserved(name), "{name}");
        }
    }

    #[test]
    fn other_products_names_are_written_only_where_they_are_listed() {
        let names = |compatible: &[Compatible]| -> Vec<String> {
            written(PrincipalKind::User, Some("ada@example.com"), compatible).into_keys().collect()
        };
        let ours = ["x-postern-email", "x-postern-groups", "x-postern-jwt-assertion", "x-postern-user"];
        assert_eq!(names(&[]), ours);
        for product in ALL {
            assert!(names(&[product]).len() > ours.len(), "{product:?}");
        }
    }

    #[test]
    fn each_product_gets_its_own_spelling() {
        let all = written(PrincipalKind::User, Some("ada@example.com"), &ALL);
        for (name, value) in [
            ("x-postern-user", "ada"),
            ("x-postern-groups", "developers,on-call"),
            ("x-pomerium-claim-user", "usr_01"),
            ("x-pomerium-claim-name", "Ada Krūmiņa"),
            ("cf-access-authenticated-user-email", "ada@example.com"),
            ("x-forwarded-user", "usr_01"),
            ("x-forwarded-preferred-username", "ada"),
            ("x-auth-request-groups", "developers,on-call"),
            ("tailscale-user-login", "ada@example.com"),
            ("tailscale-user-name", "=?utf-8?q?Ada_Kr=C5=ABmi=C5=86a?="),
            ("remote-user", "ada"),
            ("remote-name", "Ada Krūmiņa"),
        ] {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        let program = written(PrincipalKind::ServiceAccount, None, &ALL);
        let said: Vec<&String> =
            program.keys().filter(|name| name.ends_with("email") || name.starts_with("tailscale")).collect();
        assert!(said.is_empty(), "{said:?}");
        assert_eq!(program.get("x-postern-user").map(String::as_str), Some("ada"));
    }
}
