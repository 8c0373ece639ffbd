//! The target of a request: what stands in the request line, or in HTTP/2's pseudo-headers.

use crate::{Host, Refused, TARGET_MAX};
use http::{Method, Uri};

/// The form of a target (RFC 9112 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetForm {
    /// A path, with the host in its own field.
    Origin,
    /// A whole URL, whose authority must be the host.
    Absolute(Host),
}

/// A checked target. Path and query are the bytes that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    form: TargetForm,
    path: Box<str>,
    query: Option<Box<str>>,
}

impl Target {
    /// The target of a request with this method.
    pub fn read(method: &Method, uri: &Uri) -> Result<Self, Refused> {
        if method == Method::CONNECT || method == Method::TRACE || method.as_str() == "TRACK" {
            return Err(Refused::Method);
        }
        let form = match (uri.scheme_str(), uri.authority()) {
            (None, None) => TargetForm::Origin,
            (Some("http" | "https"), Some(authority)) => {
                TargetForm::Absolute(authority.as_str().parse().map_err(|_| Refused::Host)?)
            }
            // An authority alone belongs to CONNECT.
            (None | Some(_), _) => return Err(Refused::Target),
        };
        let path = uri.path();
        let query = uri.query();
        // `*` is for OPTIONS about the server as a whole, which is nobody's resource.
        if !path.starts_with('/') {
            return Err(Refused::Target);
        }
        if path.len() + query.map_or(0, |query| query.len() + 1) > TARGET_MAX {
            return Err(Refused::TargetTooLong);
        }
        let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !is_visible(path) || !query.is_none_or(is_visible) {
            return Err(Refused::Target);
        }
        Ok(Self { form, path: path.into(), query: query.map(Into::into) })
    }

    /// Its form.
    pub fn form(&self) -> &TargetForm {
        &self.form
    }

    /// The path as it came, and as it is forwarded.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query as it came, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Path and query as one origin-form target.
    pub fn origin_form(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.to_string(),
        }
    }
}
