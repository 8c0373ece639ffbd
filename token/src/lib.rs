//! Signed things: one kind of claims per purpose, each minted and verified by its own functions.
//!
//! Keys and the time are arguments. This crate reads no clock, no storage and no network, and every check is its own:
//! nothing about a token is trusted before its signature, and nothing in its header can choose a key, an algorithm or an
//! address. A value of [`Verified`] is the proof that all checks of its kind passed.
#![forbid(unsafe_code)]

mod alg;
mod assertion;
mod b64;
mod claims;
mod cnf;
mod enrolment;
mod header;
mod jwk;
mod jws;
mod key;
mod keyset;
mod kinds;
mod malleable;
pub mod opaque;
mod pinned;
mod rejected;
mod session_claims;
mod small_order;
mod strict;
mod timed_key;

pub use alg::Alg;
pub use assertion::{
    ASSERTION_LIFETIME, ASSERTION_MAX_BYTES, AssertionClaims, Occasion, Subject, mint_assertion,
    mint_cloudflare_assertion, mint_pomerium_assertion, verify_assertion,
};
pub use claims::{AccessClaims, DialClaims, GrantClaims, HeldGrantClaims, KeysClaims, TicketClaims};
pub use enrolment::{EnrollReply, EnrollRequest, EnrolmentToken, EnrolmentTokenError};
pub use jws::{Expect, SKEW, TOKEN_MAX_BYTES, Verified};
pub use key::{KeyError, SigningKey, VerifyingKey};
pub use keyset::{KeySet, KidTaken};
pub use kinds::{
    ACCESS_AUDIENCE, KEYS_AUDIENCE, TICKET_LIFETIME_MAX, claimed_connector, mint_access, mint_dial,
    mint_grant, mint_ticket, verify_access, verify_dial, verify_grant, verify_held_grant,
    verify_lapsed_access, verify_ticket,
};
pub use pinned::{ANNOUNCED_MAX, PinnedKeys, announce};
pub use rejected::Rejected;
pub use session_claims::{ActionClaim, CredentialClaims, SessionClaims, SignInClaims, TokenClaims};
pub use timed_key::TimedKey;
