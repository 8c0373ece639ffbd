//! Where a person goes after signing in: only ever to a page of our own that expects them.

/// The longest path that is remembered.
const MAX_BYTES: usize = 2048;

/// The longest one that leads on to an application's host: it carries, sealed, where the person wanted to go there.
const HAND_OVER_MAX_BYTES: usize = 7 * 1024 + 64;

/// The page that hands over to an application's host.
use crate::hand_over::PATH as HAND_OVER;

/// A path and query of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Next(String);

impl Next {
    /// The page that says who is signed in.
    pub(crate) fn home() -> Self {
        Self("/sign-in".to_owned())
    }

    /// The pages that lead to signing in, with whatever query; anything else is home.
    pub(crate) fn parse(text: &str) -> Self {
        let path = text.split_once('?').map_or(text, |(path, _)| path);
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
        let max = match path {
            "/device" | "/oauth/authorize" => Some(MAX_BYTES),
            HAND_OVER => Some(HAND_OVER_MAX_BYTES),
            _ => None,
        };
        if plain && max.is_some_and(|max| text.len() <= max) {
            return Self(text.to_owned());
        }
        if !text.is_empty() && text != "/sign-in" {
            tracing::info!("redirect_rejected: a sign-in asked to lead to a place that is not ours");
        }
        Self::home()
    }

    /// Where it leads.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the way there ends at another host.
    pub(super) fn leaves_us(&self) -> bool {
        self.0.starts_with(HAND_OVER)
    }

    /// What signing in is for, to be said on the page.
    pub(crate) fn purpose(&self) -> &'static str {
        if self.0.starts_with("/device") {
            "to let a device in."
        } else if self.0.starts_with("/oauth/") {
            "to use the postern command on this computer."
        } else if self.leaves_us() {
            "to open an application."
        } else {
            "to this gateway."
        }
    }

    /// The sign-in page that leads here.
    pub(crate) fn sign_in_url(&self) -> String {
        format!("/sign-in?{}", self.query())
    }

    /// The page that leads here once a person has proved again who they are.
    pub(crate) fn again_url(&self) -> String {
        format!("/sign-in/again?{}", self.query())
    }

    fn query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o05_signing_in_leads_nowhere_but_to_our_own_pages() {
        for bad in [
            "//evil.example",
            "/\\evil.example",
            "/%5cevil.example",
            "/device/../..//evil.example",
            "https://evil.example/device",
            "https:evil.example",
            "javascript:alert(1)",
            "/device\r\nLocation: https://evil.example",
            "/device#x",
            "/device\\..\\evil",
            "/api/v1/me",
            "/device2",
            "/devic\u{435}",
            " /device",
            "/hand-over/",
            "/hand-over2?request=x",
            "/hand-over/..//evil.example",
            "//hand-over?request=x",
            "",
        ] {
            assert_eq!(Next::parse(bad), Next::home(), "{bad:?}");
        }
        assert_eq!(Next::parse(&format!("/device?{}", "x".repeat(3000))), Next::home());
        assert_eq!(Next::parse(&format!("/hand-over?request={}", "x".repeat(8000))), Next::home());
        let long = format!("/hand-over?request={}", "x".repeat(7 * 1024));
        assert_eq!(Next::parse(&long).as_str(), long);
        assert_eq!(Next::parse("/device?user_code=BCDF-GHJK").as_str(), "/device?user_code=BCDF-GHJK");
        assert_eq!(Next::parse("/oauth/authorize?a=//evil").as_str(), "/oauth/authorize?a=//evil");
    }
}
