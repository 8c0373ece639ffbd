//! The twins of ECDSA signatures: whoever sees (r, s) can say (r, n − s), and it verifies as well. One of the two is the only
//! form here, so nobody makes a second token out of a first.

/// The order n of P-256, big-endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Half of it, rounded down: the largest lower s.
const HALF: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xde,
    0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

/// Whether the second half of a fixed P-256 signature is the lower of the two that verify.
pub(crate) fn is_lower(signature: &[u8]) -> bool {
    signature.get(32..).is_some_and(|s| s <= HALF.as_slice())
}

/// The same signature with the lower s.
pub(crate) fn lower(signature: &[u8]) -> Vec<u8> {
    if is_lower(signature) {
        return signature.to_vec();
    }
    let (r, s) = signature.split_at(signature.len().min(32));
    let mut borrow = false;
    let mut twin: Vec<u8> = ORDER
        .iter()
        .zip(s)
        .rev()
        .map(|(&n, &s)| {
            let (part, first) = n.overflowing_sub(s);
            let (part, second) = part.overflowing_sub(u8::from(borrow));
            borrow = first || second;
            part
        })
        .collect();
    twin.reverse();
    [r, &twin].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_twins_one_is_lower_and_the_other_becomes_it() {
        let below = |by: u8| {
            let mut s = ORDER;
            s[31] -= by;
            [[7; 32], s].concat()
        };
        let small = |s: u8| {
            let mut bytes = [0; 32];
            bytes[31] = s;
            [[7; 32], bytes].concat()
        };
        assert!(!is_lower(&below(5)) && is_lower(&small(5)));
        assert_eq!(lower(&below(5)), small(5));
        assert_eq!(lower(&small(5)), small(5));
        assert_eq!(
            lower(&[[7; 32], ORDER].concat())[32..],
            [0; 32],
            "no signature has it; it verifies as nothing"
        );
    }

    #[test]
    fn the_border_is_where_two_halves_meet() {
        let half = [[7; 32], HALF].concat();
        assert!(is_lower(&half));
        let mut above = HALF;
        above[31] += 1;
        let above = [[7; 32], above].concat();
        assert!(!is_lower(&above));
        assert_eq!(lower(&above), half, "n is odd: its two halves are one apart");
    }
}
