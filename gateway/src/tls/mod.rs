//! The gateway's certificates: from files, or from its own certificate authority.

mod authority;
mod certificate;
mod per_host;

pub use authority::Authority;
pub use certificate::{CertificateError, Certificates, covers, server_config};
pub use per_host::PerHost;
