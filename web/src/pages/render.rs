//! From templates to pages. Whatever fills a template is markup, and text becomes markup only by being escaped.

use super::assets;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::fmt::Write;

const LAYOUT: &str = include_str!("templates/layout.html");

/// HTML that is safe to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Markup(String);

impl Markup {
    /// A text of our own that is markup already, such as the style sheet.
    pub(crate) fn of_ours(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// What is sent.
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// One after the other.
    pub(crate) fn join(parts: &[Self]) -> Self {
        Self(parts.iter().map(|Self(part)| part.as_str()).collect())
    }
}

/// Text as markup: inert between tags and in quoted attributes.
pub(crate) fn text(text: impl AsRef<str>) -> Markup {
    let mut markup = String::new();
    for c in text.as_ref().chars() {
        match c {
            '&' => markup.push_str("&amp;"),
            '<' => markup.push_str("&lt;"),
            '>' => markup.push_str("&gt;"),
            '"' => markup.push_str("&quot;"),
            '\'' => markup.push_str("&#39;"),
            // Controls and marks that turn the reading direction could make a name look like another one.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => markup.push('\u{fffd}'),
            c if c.is_control() && c != '\n' => markup.push('\u{fffd}'),
            c => markup.push(c),
        }
    }
    Markup(markup)
}

/// Replaces each `{{name}}` of a template of ours. A name without a value becomes nothing.
pub(crate) fn fill(template: &'static str, values: &[(&str, Markup)]) -> Markup {
    let mut markup = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, from)) = rest.split_once("{{") {
        let Some((name, after)) = from.split_once("}}") else { break };
        let value = values.iter().find(|(known, _)| *known == name);
        debug_assert!(value.is_some(), "the template asks for {name}");
        markup.push_str(before);
        markup.push_str(value.map_or("", |(_, Markup(value))| value));
        rest = after;
    }
    markup.push_str(rest);
    Markup(markup)
}

/// A page to be sent.
#[derive(Debug)]
pub(crate) struct Page {
    status: StatusCode,
    title: &'static str,
    body: Markup,
    head: Markup,
    /// Where forms may lead besides our own origin.
    form_target: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Page {
    pub(crate) fn new(title: &'static str, body: Markup) -> Self {
        Self {
            status: StatusCode::OK,
            title,
            body,
            head: Markup::default(),
            form_target: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A form of this page ends, after a redirect, at this origin.
    pub(crate) fn form_target(mut self, origin: String) -> Self {
        self.form_target = Some(origin);
        self
    }

    /// The browser goes on to `location` by itself.
    pub(crate) fn continue_at(mut self, location: &str) -> Self {
        self.head = fill(
            r#"<meta http-equiv="refresh" content="0;url={{location}}">"#,
            &[("location", text(location))],
        );
        self
    }

    fn policy(&self) -> HeaderValue {
        let mut policy =
            String::from("default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'");
        if let Some(origin) = &self.form_target {
            let _ = write!(policy, " {origin}");
        }
        policy.push_str("; frame-ancestors 'none'; base-uri 'none'");
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let policy = self.policy();
        let Markup(html) = fill(
            LAYOUT,
            &[
                ("title", text(self.title)),
                ("head", self.head),
                ("css", text(assets::css_path())),
                ("icon", text(assets::ICON_PATH)),
                ("body", self.body),
            ],
        );
        let mut response = (self.status, html).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}

/// Sends the browser to `location` with a GET.
pub(crate) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c07_text_is_inert_wherever_it_lands() {
        let Markup(markup) = fill(
            r#"<p title="{{a}}">{{a}}</p>"#,
            &[("a", text(r#""><script>alert(1)</script><img src=x onerror='alert(1)'>{{b}}"#))],
        );
        assert_eq!(markup.matches('<').count(), 2);
        assert_eq!(markup.matches('"').count(), 2);
        assert!(!markup.contains('\''));
        assert!(markup.contains("{{b}}"), "what fills a template is not a template");
        assert_eq!(text("a\u{202e}b\u{0}c").0, "a\u{fffd}b\u{fffd}c");
    }
}
