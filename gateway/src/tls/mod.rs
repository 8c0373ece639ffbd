//! The gateway's certificates: from files, or from its own certificate authority.

mod authority;
mod certificate;
mod per_host;
#[cfg(test)]
mod tests;
mod validity;

pub use authority::Authority;
pub use certificate::{CertificateError, Certificates, covers, server_config, validity};
pub use per_host::PerHost;
pub use validity::{Standing, Validity};
