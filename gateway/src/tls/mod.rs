//! The gateway's certificate: from files, or from its own certificate authority.

mod authority;
mod certificate;

pub use authority::Authority;
pub use certificate::{CertificateError, Certificates, server_config};
