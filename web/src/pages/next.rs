//! Where a person goes after signing in: only ever to a page of our own that expects them.

/// The longest path that is remembered.
const MAX_BYTES: usize = 2048;

/// A path and query of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Next(String);

impl Next {
    /// The page that says who is signed in.
    pub(crate) fn home() -> Self {
        Self("/sign-in".to_owned())
    }

    /// The two pages that lead to signing in, with whatever query; anything else is home.
    pub(crate) fn parse(text: &str) -> Self {
        let path = text.split_once('?').map_or(text, |(path, _)| path);
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
        let known = matches!(path, "/device" | "/oauth/authorize");
        if known && plain && text.len() <= MAX_BYTES {
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

    /// What signing in is for, to be said on the page.
    pub(crate) fn purpose(&self) -> &'static str {
        if self.0.starts_with("/device") {
            "to let a device in."
        } else if self.0.starts_with("/oauth/") {
            "to use the postern command on this computer."
        } else {
            "to this gateway."
        }
    }

    /// The sign-in page that leads here.
    pub(crate) fn sign_in_url(&self) -> String {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &self.0).finish();
        format!("/sign-in?{query}")
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
            "",
        ] {
            assert_eq!(Next::parse(bad), Next::home(), "{bad:?}");
        }
        assert_eq!(Next::parse(&format!("/device?{}", "x".repeat(3000))), Next::home());
        assert_eq!(Next::parse("/device?user_code=BCDF-GHJK").as_str(), "/device?user_code=BCDF-GHJK");
        assert_eq!(Next::parse("/oauth/authorize?a=//evil").as_str(), "/oauth/authorize?a=//evil");
    }
}
