//! The shape of what is said: a status, a code, sentences, facts, and where a page leads.

use axum::http::StatusCode;
use std::borrow::Cow;

/// Where a page leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way<'a> {
    Nowhere,
    Link {
        href: &'a str,
        label: &'static str,
    },
    /// The page with the form that is lost when it is left.
    NewTab {
        href: &'a str,
        label: &'static str,
    },
    SignOut,
}

/// The words for one page.
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    pub(super) status: StatusCode,
    pub(super) code: &'a str,
    pub(super) title: &'static str,
    pub(super) what: Cow<'a, str>,
    pub(super) next: Cow<'static, str>,
    pub(super) facts: Vec<(&'static str, Cow<'a, str>)>,
    pub(super) way: Way<'a>,
    pub(super) retry_after_s: Option<u64>,
}

impl<'a> Words<'a> {
    pub(super) fn new(
        status: StatusCode,
        code: &'a str,
        title: &'static str,
        what: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            what: what.into(),
            next: Cow::Borrowed(""),
            facts: Vec::new(),
            way: Way::Nowhere,
            retry_after_s: None,
        }
    }

    pub(super) fn next(self, next: impl Into<Cow<'static, str>>) -> Self {
        Self { next: next.into(), ..self }
    }

    pub(super) fn fact(mut self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    pub(super) fn way(self, way: Way<'a>) -> Self {
        Self { way, ..self }
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds.max(1)), ..self }
    }
}
