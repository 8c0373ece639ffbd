//! A browser as the router meets it.

use super::{Answer, Gate, encoded, form};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use std::collections::BTreeMap;

/// A browser with a cookie jar and without JavaScript.
pub(crate) struct Browser<'a> {
    gate: &'a Gate,
    pub(crate) jar: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(gate: &'a Gate) -> Self {
        Self { gate, jar: Default::default() }
    }

    fn cookies(&self) -> String {
        self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, answer: &Answer) {
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0;") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// As a browser goes to a page.
    pub(crate) async fn navigate(&mut self, path: &str) -> Answer {
        self.get_with(path, &[("accept", "text/html,*/*;q=0.8"), ("sec-fetch-mode", "navigate")]).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().uri(path).header(header::COOKIE, self.cookies());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.gate.send(request.body(Body::empty()).unwrap()).await;
        self.keep(&answer);
        answer
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[("sec-fetch-site", "same-origin"), ("origin", "null")]).await
    }

    pub(crate) async fn post_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = form(path, fields).header(header::COOKIE, self.cookies());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.gate.send(request.body(Body::from(encoded(fields))).unwrap()).await;
        self.keep(&answer);
        answer
    }

    pub(crate) async fn try_sign_in(&mut self, name: &str, password: &str, next: &str) -> Answer {
        let csrf = self.get("/sign-in").await.field("csrf");
        let fields = [("csrf", csrf.as_str()), ("next", next), ("username", name), ("password", password)];
        self.post("/sign-in", &fields).await
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str, next: &str) -> Answer {
        let answer = self.try_sign_in(name, password, next).await;
        assert!(!answer.location().is_empty() && self.jar.contains_key("__Host-postern"), "{answer:?}");
        answer
    }

    pub(crate) async fn answer_device(&mut self, user_code: &str, answer: &str) -> Answer {
        let page = self.get(&format!("/device?user_code={user_code}")).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        let csrf = page.field("csrf");
        self.post("/device", &[("csrf", &csrf), ("user_code", user_code), ("answer", answer)]).await
    }
}
