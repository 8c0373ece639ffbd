//! What these tests share.

use anyhow::{Context, Result};
use postern_tests::apps::{Scene, Visitor, WebSocket};
use postern_tests::curl::Answer;
use serde_json::Value;
use std::time::Duration;

/// For what takes a moment when the machine is free.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A cut is due within a second; what is measured begins before the change is acknowledged.
pub(crate) const CUT_WITHIN: Duration = Duration::from_secs(1);

/// The headers of a person who opens an address.
pub(crate) const NAVIGATE: [&str; 2] = ["Accept: text/html", "Sec-Fetch-Mode: navigate"];

/// The headers that an application says it got, names in lower case.
pub(crate) fn headers(told: &Value) -> Vec<(String, String)> {
    let raw: Vec<&str> = told["headers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let pairs = raw.chunks(2).filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
    pairs.map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect()
}

/// The one value of a header; none if there is none or more than one.
pub(crate) fn one<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = headers.iter().filter(|(known, _)| known == name);
    let (_, value) = values.next()?;
    values.next().is_none().then_some(value.as_str())
}

/// A WebSocket of somebody who is signed in at the application.
pub(crate) fn websocket(scene: &Scene, visitor: &Visitor, app: &str, more: &[&str]) -> Result<WebSocket> {
    let authority = scene.authority(app);
    let mut headers = vec![format!("Cookie: {}; theirs=1", visitor.cookie_line(&authority)?)];
    headers.extend(more.iter().map(|line| (*line).to_owned()));
    WebSocket::open(scene.gateway(), &authority, "/echo", &headers)
}

/// The same, open and known to carry messages.
pub(crate) fn open_websocket(scene: &Scene, visitor: &Visitor) -> Result<WebSocket> {
    let mut socket = websocket(scene, visitor, "alpha", &[])?;
    anyhow::ensure!(socket.status() == 101, "{}", socket.head);
    socket.send("hello there");
    socket.until("hello there")?;
    Ok(socket)
}

/// The code of a problem.
pub(crate) fn code(answer: &Answer) -> Result<String> {
    let problem = answer.json()?;
    Ok(problem["code"].as_str().with_context(|| answer.body.clone())?.to_owned())
}
