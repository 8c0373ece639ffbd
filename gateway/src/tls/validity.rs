//! Between which moments a certificate is good: read from its bytes, because the TLS library tells it only to clients.

use jiff::{civil, tz::TimeZone};
use postern_ids::Timestamp;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version of a certificate, which old ones leave out.
const VERSION: u8 = 0xa0;

/// When a certificate begins and ends to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From then on.
    pub from: Timestamp,
    /// Until then.
    pub until: Timestamp,
}

/// What a certificate is worth at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is good, and not about to end.
    Good,
    /// It is good, and ends soon.
    EndsSoon,
    /// It is not good yet.
    Early,
    /// It has ended.
    Ended,
}

impl Validity {
    /// Reads it from a certificate in DER (RFC 5280 section 4.1); none if that cannot be read.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(certificate).take(SEQUENCE)?);
        let mut signed = Der(certificate.take(SEQUENCE)?);
        if signed.0.first() == Some(&VERSION) {
            signed.next()?;
        }
        // The serial number, the algorithm and the issuer come before.
        for _ in 0..3 {
            signed.next()?;
        }
        let mut validity = Der(signed.take(SEQUENCE)?);
        Some(Self { from: validity.time()?, until: validity.time()? })
    }

    /// What it is worth `now`; the last third of its life is soon, and so are its last two weeks.
    pub fn standing(self, now: Timestamp) -> Standing {
        const SOON: std::time::Duration = std::time::Duration::from_secs(14 * 24 * 3_600);
        let soon = SOON.min(self.until.since(self.from) / 3);
        if now < self.from {
            Standing::Early
        } else if now >= self.until {
            Standing::Ended
        } else if now.plus(soon) >= self.until {
            Standing::EndsSoon
        } else {
            Standing::Good
        }
    }
}

/// What is left of some DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element, which has to be of this kind.
    fn take(&mut self, kind: u8) -> Option<&'a [u8]> {
        let (found, content) = self.next()?;
        (found == kind).then_some(content)
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&kind, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            // Four bytes of length are more than any certificate has.
            let count = usize::from(first & 0x7f);
            let (bytes, rest) = rest.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
            (
                bytes
                    .iter()
                    .try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add((*byte).into()))?,
                rest,
            )
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((kind, content))
    }

    fn time(&mut self) -> Option<Timestamp> {
        let (kind, content) = self.next()?;
        let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
        let text = match kind {
            // Two digits of a year mean 1950 to 2049.
            UTC_TIME if text.len() == 12 => format!("{}{text}", if text < "50" { "20" } else { "19" }),
            GENERALIZED_TIME if text.len() == 14 => text.to_owned(),
            _ => return None,
        };
        let part = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
        let (month, day) = (part(4, 6)?, part(6, 8)?);
        let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
        let date = civil::DateTime::new(text.get(..4)?.parse().ok()?, month, day, hour, minute, second, 0);
        let at = date.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(Timestamp::from_secs(at.as_second()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn certificate(from: (i32, u8, u8), to: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(["gate.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_ways_to_write_a_year_are_read() {
        let read = Validity::of(&certificate((2026, 1, 31), (2056, 12, 1))).unwrap();
        assert_eq!(read.from, Timestamp::from_secs(1_769_817_600));
        assert_eq!(read.until, Timestamp::from_secs(2_742_854_400));
        let read = Validity::of(&certificate((1999, 12, 31), (2049, 12, 31))).unwrap();
        assert_eq!(read.from, Timestamp::from_secs(946_598_400));
        assert_eq!(read.until, Timestamp::from_secs(2_524_521_600));
    }

    #[test]
    fn f24_a_certificate_ends_soon_before_it_has_ended() {
        let day = |days: i64| Timestamp::from_secs(1_769_817_600 + days * 86_400);
        let quarter = Validity { from: day(0), until: day(90) };
        for (days, standing) in [
            (-1, Standing::Early),
            (0, Standing::Good),
            (75, Standing::Good),
            (76, Standing::EndsSoon),
            (89, Standing::EndsSoon),
            (90, Standing::Ended),
        ] {
            assert_eq!(quarter.standing(day(days)), standing, "{days}");
        }
        let week = Validity { from: day(0), until: day(6) };
        assert_eq!((week.standing(day(3)), week.standing(day(4))), (Standing::Good, Standing::EndsSoon));
    }

    #[test]
    fn what_is_cut_or_changed_is_not_read_and_never_panics() {
        let whole = certificate((2026, 1, 1), (2027, 1, 1));
        for cut in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..cut]), None, "{cut}");
        }
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= change;
                let _ = Validity::of(&changed);
            }
        }
    }
}
