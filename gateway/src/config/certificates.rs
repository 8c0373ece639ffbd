//! The files of certificates and keys: as many of one as of the other, in the same order.

use super::{CertificateFiles, Mode, files, reader::Reader};

/// Each handshake looks through them.
const CERTIFICATES_MAX: usize = 64;

impl Reader<'_> {
    pub(super) fn certificates(&mut self, mode: &Option<Mode>) -> Vec<CertificateFiles> {
        let (chains, keys) = (self.paths("tls.certificate"), self.paths("tls.key"));
        let at = self.at(if chains.is_empty() { "tls.key" } else { "tls.certificate" });
        match (chains.len(), keys.len()) {
            (0, 0) => return Vec::new(),
            (_, 0) => {
                self.wrong(at, "tls.certificate needs tls.key", "set both, or neither");
                return Vec::new();
            }
            (0, _) => {
                self.wrong(at, "tls.key needs tls.certificate", "set both, or neither");
                return Vec::new();
            }
            (chains, keys) if chains != keys => {
                let what = format!("tls.certificate names {chains} files, tls.key {keys}");
                self.wrong(at, what, "list the key of each certificate, in the same order");
                return Vec::new();
            }
            (chains, _) if chains > CERTIFICATES_MAX => {
                let what =
                    format!("tls.certificate names {chains} files, at most {CERTIFICATES_MAX} are supported");
                self.wrong(at, what, "let one certificate cover several names");
                return Vec::new();
            }
            (..) => {}
        }
        if matches!(mode, Some(Mode::HttpBehindProxy(_))) {
            self.wrong(
                at,
                "tls.certificate has no effect in mode http_behind_proxy",
                "remove it, or choose another mode",
            );
        }
        for key in &keys {
            if let Err(mistake) = files::check_secret_file(key, "tls.key", self.at("tls.key")) {
                self.mistakes.push(mistake);
            }
        }
        chains.into_iter().zip(keys).map(|(chain, key)| CertificateFiles { chain, key }).collect()
    }
}
