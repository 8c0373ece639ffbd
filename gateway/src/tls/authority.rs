//! The gateway's own certificate authority, for installations without a certificate of their own.

use aws_lc_rs::digest;
use postern_ids::Timestamp;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber,
    date_time_ymd,
};
use rustls::{crypto::aws_lc_rs::sign::any_supported_type, sign::CertifiedKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::time::Duration;
use url::Host;
use zeroize::Zeroizing;

/// A leaf lives in memory only and is made anew long before this is over.
const LEAF_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3_600);
/// A leaf is valid from a day before it was made, for clients whose clock is slow.
const LEAF_BACKDATE: Duration = Duration::from_secs(24 * 3_600);

/// The authority could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The key or a certificate is not as it should be.
    #[error("the certificate authority")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library does not take the key.
    #[error("the key of the certificate")]
    Key(#[source] rustls::Error),
}

/// A key that signs the gateway's certificates, and the certificate that clients may pin.
#[derive(Debug)]
pub struct Authority {
    key: KeyPair,
    params: CertificateParams,
    certificate: Certificate,
}

impl Authority {
    /// A new key, as PKCS#8 to be sealed in the store.
    pub fn generate_key() -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
        Ok(Zeroizing::new(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_der()))
    }

    /// The authority with this key. The certificate is the same in name, key and dates each time, so that one that was
    /// pinned or installed once stays good.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, AuthorityError> {
        let der = PrivatePkcs8KeyDer::from(pkcs8);
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Postern gateway authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        params.serial_number = Some(serial_of(key.subject_public_key_info().as_slice()));
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2056, 1, 1);
        let certificate = params.self_signed(&key)?;
        Ok(Self { key, params, certificate })
    }

    /// The certificate as PEM, for `ca.pem`.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo: what a client pins.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let hash = digest::digest(&digest::SHA256, &self.key.subject_public_key_info());
        bytes.copy_from_slice(hash.as_ref());
        bytes
    }

    /// A certificate for all of `hosts`, named after the first, chained to the authority.
    pub fn issue(
        &self,
        hosts: &[Host<String>],
        entropy: [u8; 16],
        now: Timestamp,
    ) -> Result<CertifiedKey, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let names: Vec<String> = hosts.iter().map(name_of).collect();
        let name = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        // A common name holds 64 characters at most; the name that counts is the subject alternative one.
        params.distinguished_name.push(DnType::CommonName, name.chars().take(64).collect::<String>());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(SerialNumber::from_slice(&positive(entropy)));
        let (from, to) = (civil_day(now.minus(LEAF_BACKDATE)), civil_day(now.plus(LEAF_LIFETIME)));
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let leaf = params.signed_by(&key, &issuer)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = any_supported_type(&private).map_err(AuthorityError::Key)?;
        Ok(CertifiedKey::new(vec![leaf.der().clone(), self.certificate.der().clone()], signing))
    }

    /// When a certificate that was issued at `now` should be replaced.
    pub fn renewal_after() -> Duration {
        LEAF_LIFETIME / 3
    }
}

fn name_of(host: &Host<String>) -> String {
    match host {
        Host::Domain(name) => name.clone(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

fn serial_of(spki: &[u8]) -> SerialNumber {
    let hash = digest::digest(&digest::SHA256, spki);
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    SerialNumber::from_slice(&positive(bytes))
}

/// A serial number is a positive integer that does not begin with zeros.
fn positive(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[0] = (bytes[0] & 0x3f) | 0x40;
    bytes
}

fn civil_day(at: Timestamp) -> (i32, u8, u8) {
    let date = jiff::Timestamp::from_microsecond(at.as_micros())
        .map_or(jiff::civil::date(2026, 1, 1), |at| at.to_zoned(jiff::tz::TimeZone::UTC).date());
    let unsigned = |part: i8| u8::try_from(part).unwrap_or(1);
    (date.year().into(), unsigned(date.month()), unsigned(date.day()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use rustls::{
        RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier},
        crypto::aws_lc_rs::default_provider,
        pki_types::{ServerName, UnixTime},
    };
    use std::sync::Arc;

    #[test]
    fn a_certificate_made_after_a_restart_still_verifies_under_the_authority_of_before() {
        let pkcs8 = Authority::generate_key().unwrap();
        let before = Authority::from_pkcs8(&pkcs8).unwrap();
        let after = Authority::from_pkcs8(&pkcs8).unwrap();
        assert_eq!(before.fingerprint(), after.fingerprint());
        let mut roots = RootCertStore::empty();
        roots.add(before.certificate.der().clone()).unwrap();
        let provider = Arc::new(default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let now = Timestamp::from_secs(1_800_000_000);
        let hosts = [
            Host::Domain("gate.example".to_owned()),
            Host::Domain("gw2.example".to_owned()),
            Host::Ipv4([127, 0, 0, 1].into()),
        ];
        let issued = after.issue(&hosts, [255; 16], now).unwrap();
        for host in hosts {
            let name = ServerName::try_from(host.to_string()).unwrap();
            let time = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
            verifier.verify_server_cert(&issued.cert[0], &issued.cert[1..], &name, &[], time).unwrap();
            assert_eq!(issued.cert.len(), 2, "the authority is presented, so that its key can be pinned");
        }
    }
}
