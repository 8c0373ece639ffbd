//! The Ed25519 points of small order: anyone can make signatures that verify under them.

/// The y coordinates of the points of order 1, 2, 4 and 8 and their non-canonical spellings, sign bit cleared.
const SMALL_ORDER: [[u8; 32]; 7] = {
    let mut p_minus_one = [0xff; 32];
    p_minus_one[0] = 0xec;
    p_minus_one[31] = 0x7f;
    let mut p = p_minus_one;
    p[0] = 0xed;
    let mut p_plus_one = p_minus_one;
    p_plus_one[0] = 0xee;
    let mut one = [0; 32];
    one[0] = 1;
    [
        [0; 32],
        one,
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
        p_minus_one,
        p,
        p_plus_one,
    ]
};

/// Whether an encoded point is one of them, with either sign.
pub(crate) fn is_weak(raw: &[u8; 32]) -> bool {
    let mut y = *raw;
    y[31] &= 0x7f;
    SMALL_ORDER.contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VerifyingKey;

    #[test]
    fn an_ed25519_key_that_everybody_can_sign_for_is_refused() {
        for mut y in SMALL_ORDER {
            assert!(VerifyingKey::from_ed25519(y).is_err());
            y[31] |= 0x80;
            assert!(VerifyingKey::from_ed25519(y).is_err());
        }
    }
}
