//! HTTP requests in one form: what is authorized is byte for byte what is forwarded, and what can be read in two ways is
//! refused, never repaired (D7).
//!
//! Everything here is pure: bytes and headers in, a verdict out. It must never know sockets, users or policies. The HTTP
//! library below accepts more than this; whatever it would let pass, drop or mend is judged here first.
#![forbid(unsafe_code)]

mod cookies;
mod framing;
mod headers;
mod host;
mod path;
mod refused;
mod request;
mod target;

pub use cookies::{Ambiguous, CookieVerdict, judge_set_cookie, read_cookie, strip_cookies};
pub use framing::{Framing, HEAD_MAX, TARGET_MAX, Version};
pub use headers::{
    Forwarding, UnderscoreHeaders, is_hop_by_hop, is_reserved, prepare_request, prepare_response,
};
pub use host::{Host, HostError};
pub use path::{CanonicalPath, EncodedSlash, PathAmbiguous};
pub use refused::Refused;
pub use request::CanonicalRequest;
pub use target::{Target, TargetForm};
