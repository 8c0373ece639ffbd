//! The request that is authorized, and forwarded.

use crate::{CanonicalPath, EncodedSlash, Host, Refused, Target, TargetForm};
use http::{HeaderMap, Method, Uri, header};

/// A request with one reading. Only [`CanonicalRequest::read`] makes one; rules and the proxy both take it from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalRequest {
    method: Method,
    host: Host,
    target: Target,
}

impl CanonicalRequest {
    /// Reads the head of a request that came over TLS, as HTTP/1 or HTTP/2 gave it.
    pub fn read(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Self, Refused> {
        let target = Target::read(method, uri)?;
        let written = one_host(headers)?;
        let host = match (target.form(), written) {
            (TargetForm::Origin, Some(host)) => host,
            (TargetForm::Origin, None) => return Err(Refused::Host),
            // HTTP/2 needs no Host beside `:authority`.
            (TargetForm::Absolute(host), None) => host.clone(),
            (TargetForm::Absolute(authority), Some(host)) if authority.is_same(&host, HTTPS) => host,
            (TargetForm::Absolute(_), Some(_)) => return Err(Refused::AuthorityMismatch),
        };
        one_body(headers)?;
        expectation(headers)?;
        Ok(Self { method: method.clone(), host, target })
    }

    /// The method; any token, in the case it came.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The host that was asked.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The target as it is forwarded.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The path as rules match it, on a route that is decided by paths.
    pub fn path(&self, slash: EncodedSlash) -> Result<CanonicalPath, Refused> {
        CanonicalPath::read(self.target.path(), slash).map_err(|_| Refused::PathAmbiguous)
    }
}

const HTTPS: u16 = 443;

fn one_host(headers: &HeaderMap) -> Result<Option<Host>, Refused> {
    let mut values = headers.get_all(header::HOST).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refused::Host);
    }
    let text = value.to_str().map_err(|_| Refused::Host)?;
    text.parse().map(Some).map_err(|_| Refused::Host)
}

/// What [`crate::Framing`] holds for the bytes of HTTP/1 is held here for every version.
fn one_body(headers: &HeaderMap) -> Result<(), Refused> {
    let lengths: Vec<_> = headers.get_all(header::CONTENT_LENGTH).iter().collect();
    let codings: Vec<_> = headers.get_all(header::TRANSFER_ENCODING).iter().collect();
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(()),
        ([length], []) if is_number(length.as_bytes()) => Ok(()),
        ([], [coding]) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refused::Framing),
    }
}

fn expectation(headers: &HeaderMap) -> Result<(), Refused> {
    let mut values = headers.get_all(header::EXPECT).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(()),
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(()),
        (Some(_), _) => Err(Refused::Expectation),
    }
}
