//! The API as one caller sees it.

use super::{NoAnswer, body, http, refused::refused, send};
use crate::{bearer::Bearer, failure::Failure, home::Profile, patience::Patience};
use postern_tunnel_io::Backoff;
use reqwest::{Method, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Instant;
use tokio::time;

/// The API as one caller sees it.
#[derive(Debug)]
pub struct Api<'a> {
    client: reqwest::Client,
    profile: &'a Profile,
    bearer: &'a Bearer,
}

impl<'a> Api<'a> {
    /// The API of the profile's gateway.
    pub fn new(profile: &'a Profile, bearer: &'a Bearer) -> Result<Self, Failure> {
        Ok(Self { client: http(profile)?, profile, bearer })
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, |request| request).await
    }

    /// Reads something, to learn whether the gateway is there at this moment.
    pub async fn get_now<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let get = self.try_once(&Method::GET, path, &|request| request).await;
        self.answer(get.map_err(Failure::from)?).await
    }

    /// Does something that needs no words.
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::POST, path, |request| request).await
    }

    /// Does something.
    pub async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.call(Method::POST, path, |request| request.json(body)).await
    }

    /// Removes something.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        let answer = self.send(Method::DELETE, path, |request| request).await?;
        if answer.status().is_success() { Ok(()) } else { Err(refused(answer, self.bearer).await) }
    }

    /// Sends a request, and waits for a gateway that is not there: it may be restarting. Only what changes nothing is sent
    /// again when it may have arrived.
    async fn send(
        &self,
        method: Method,
        path: &str,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let (mut patience, mut backoff) = (Patience::begin(), Backoff::default());
        loop {
            match self.try_once(&method, path, &fill).await {
                Err(no) if no.is_away && (method.is_safe() || !no.may_have_arrived) && patience.lasts() => {
                    time::sleep(backoff.next(rand::random(), Instant::now())).await;
                }
                done => return done.map_err(Failure::from),
            }
        }
    }

    async fn try_once(
        &self,
        method: &Method,
        path: &str,
        fill: &impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, NoAnswer> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        send(self.profile, &format!("/api/v1/{path}"), |mut url| {
            url.set_query(Some(query).filter(|query| !query.is_empty()));
            fill(self.client.request(method.clone(), url).bearer_auth(self.bearer.secret()))
        })
        .await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, Failure> {
        self.answer(self.send(method, path, fill).await?).await
    }

    async fn answer<T: DeserializeOwned>(&self, answer: Response) -> Result<T, Failure> {
        if !answer.status().is_success() {
            return Err(refused(answer, self.bearer).await);
        }
        let bytes = body(answer).await?;
        serde_json::from_slice(&bytes)
            .map_err(|e| Failure::unavailable(format!("the gateway's answer is not understood: {e}")))
    }
}

/// One path segment from text that a person typed.
pub fn segment(text: &str) -> Result<&str, Failure> {
    let is_safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if text.is_empty() || text.starts_with('.') || !text.bytes().all(is_safe) {
        return Err(Failure::usage(format!("{text:?} is neither a name nor an id")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_path_segment() {
        for bad in ["", "..", ".", "a/b", "a?b", "a#b", "a%2fb", "a b", "é"] {
            assert_eq!(segment(bad).map_err(|failure| failure.code), Err(64), "{bad}");
        }
        assert_eq!(segment("db-1.prod"), Ok("db-1.prod"));
    }
}
