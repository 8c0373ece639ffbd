//! HTTP as a person's tools speak it: `curl`, with a cookie jar, against a gateway's own certificate authority.

use crate::tools;
use anyhow::{Context, Result};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One user agent: trusts one authority, keeps its cookies.
#[derive(Debug, Clone)]
pub struct Browser {
    authority: PathBuf,
    cookies: PathBuf,
    bearer: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("{} answered {:?}", self.status, self.body))
    }

    /// Itself, if it has this status.
    pub fn expect(self, status: u16) -> Result<Self> {
        anyhow::ensure!(self.status == status, "expected {status}, got {}: {}", self.status, self.body);
        Ok(self)
    }
}

impl Browser {
    /// A fresh one, which keeps its cookies in `directory`.
    pub fn new(authority: &Path, directory: &Path) -> Self {
        Self { authority: authority.to_path_buf(), cookies: directory.join("cookies.txt"), bearer: None }
    }

    /// The same, sending a bearer token.
    #[must_use]
    pub fn with_bearer(mut self, token: &str) -> Self {
        self.bearer = Some(token.to_owned());
        self
    }

    /// Fetches; redirects are answers, not followed.
    pub fn get(&self, url: &str) -> Result<Answer> {
        self.send(url, &[], None)
    }

    /// Fetches as a person does who opens an address: redirects are answers, not followed.
    pub fn navigate(&self, url: &str) -> Result<Answer> {
        self.send(url, &["Accept: text/html", "Sec-Fetch-Mode: navigate"], None)
    }

    /// Submits a form, as the page at the same origin would.
    pub fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let body = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let body = body.collect::<Vec<_>>().join("&");
        let origin = format!("Origin: {}", origin(url));
        let headers = [
            "Content-Type: application/x-www-form-urlencoded",
            "Accept: text/html",
            "Sec-Fetch-Site: same-origin",
            "Sec-Fetch-Mode: navigate",
            &origin,
        ];
        self.send(url, &headers, Some(("POST", &body)))
    }

    /// Sends JSON with a method.
    pub fn send_json(&self, method: &str, url: &str, body: &Value) -> Result<Answer> {
        self.send(url, &["Content-Type: application/json"], Some((method, &body.to_string())))
    }

    /// Sends exactly these headers and this body.
    pub fn send(&self, url: &str, headers: &[&str], body: Option<(&str, &str)>) -> Result<Answer> {
        let mut curl = self.curl()?;
        for header in headers {
            curl.arg("--header").arg(header);
        }
        if let Some((method, _)) = body {
            curl.args(["--request", method, "--data-binary", "@-"]);
        }
        if let Some(token) = &self.bearer {
            curl.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        curl.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = curl.spawn().context("start curl")?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(body.map_or("", |(_, text)| text).as_bytes())?;
        }
        let output = child.wait_with_output()?;
        anyhow::ensure!(
            output.status.success(),
            "curl {url} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        parse(&String::from_utf8_lossy(&output.stdout))
    }

    fn curl(&self) -> Result<Command> {
        let mut curl = tools::command("curl")?;
        // `--disable` first: nobody's ~/.curlrc takes part.
        curl.args([
            "--disable",
            "--silent",
            "--show-error",
            "--include",
            "--max-time",
            "30",
            "--noproxy",
            "*",
        ]);
        curl.arg("--cacert").arg(&self.authority);
        curl.arg("--cookie").arg(&self.cookies).arg("--cookie-jar").arg(&self.cookies);
        Ok(curl)
    }
}

/// The scheme and authority of an address.
pub fn origin(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())
}

/// Percent-encodes a form field.
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A form as a browser without JavaScript would submit it by its first button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Where it goes; empty for the page itself.
    pub action: String,
    /// Its fields and their values.
    pub fields: Vec<(String, String)>,
}

/// The first form of a page that is sent with POST.
pub fn form(page: &str) -> Option<Form> {
    let (tag, inside) = page.split("<form").skip(1).find_map(|rest| {
        let (tag, behind) = rest.split_once('>')?;
        let inside = behind.split("</form").next()?;
        tag.to_ascii_lowercase().contains("post").then_some((tag, inside))
    })?;
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut pressed = false;
    for rest in inside.split('<').skip(1) {
        let tag = rest.split('>').next().unwrap_or_default();
        let is_button =
            tag.starts_with("button") || (tag.starts_with("input") && tag.contains("type=\"submit\""));
        if !(is_button || tag.starts_with("input")) || (is_button && std::mem::replace(&mut pressed, true)) {
            continue;
        }
        if let Some(name) = attribute(tag, "name") {
            fields.push((name, attribute(tag, "value").unwrap_or_default()));
        }
    }
    Some(Form { action: attribute(tag, "action").unwrap_or_default(), fields })
}

/// Where a page leads by itself.
pub fn refresh(page: &str) -> Option<String> {
    let tag =
        page.split("<meta").skip(1).find(|tag| tag.contains("http-equiv=\"refresh\""))?.split('>').next()?;
    Some(attribute(tag, "content")?.split_once("url=")?.1.to_owned())
}

/// The value of an attribute of a tag, with its entities resolved.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
    let entities =
        [("&quot;", "\""), ("&#x27;", "'"), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    Some(entities.iter().fold(value.to_owned(), |text, (entity, plain)| text.replace(entity, plain)))
}

fn parse(text: &str) -> Result<Answer> {
    let (head, body) = text.split_once("\r\n\r\n").context("curl gave no header block")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("curl gave no status line")?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Answer { status: status.parse()?, headers, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in_as_a_browser_would() {
        let page = r#"<p><form method="post" action="/next?a=1&amp;b=2"><input type="hidden" name="flow" value="a&amp;b">
            <input name="username"><button name="do" value="yes">Yes</button><button name="do" value="no">No</button></form>"#;
        let form = form(page).expect("there is a form");
        assert_eq!(form.action, "/next?a=1&b=2");
        let fields: Vec<(&str, &str)> =
            form.fields.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(fields, [("flow", "a&b"), ("username", ""), ("do", "yes")]);
    }

    #[test]
    fn the_origin_ends_before_the_path() {
        assert_eq!(origin("https://127.0.0.1:4433/sign-in?x=1"), "https://127.0.0.1:4433");
    }
}
