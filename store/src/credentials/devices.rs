//! The device flow (RFC 8628): a code for the machine, a short code for the person, one approval.

use super::SecretHash;
use crate::{ChangeError, Store, StoreError};
use postern_ids::{SignInId, Timestamp, UserId};
use std::{net::IpAddr, time::Duration};

/// Where a device authorization stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState {
    /// Nobody has answered yet.
    Pending,
    /// A person approved it.
    Approved,
    /// A person refused it.
    Denied,
    /// The device has fetched its tokens.
    Redeemed,
}

/// One device authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAuthorization {
    /// SHA-256 of the device code.
    pub hash: SecretHash,
    /// What the person types, as stored: upper case, without separators.
    pub user_code: String,
    /// The OAuth client.
    pub client_id: String,
    /// What the device calls itself; shown to the person who is asked, believed by nobody.
    pub device: String,
    /// Where the device asked from; shown to the person who is asked.
    pub address: IpAddr,
    /// How far apart polls must be.
    pub interval: Duration,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: DeviceState,
}

/// What a poll of the device gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DevicePoll {
    /// Nobody has answered yet.
    Pending,
    /// The device polls too fast; its interval has grown by five seconds.
    SlowDown,
    /// Approved; the code is spent by this answer.
    Approved {
        /// Who approved.
        user: UserId,
        /// The id that the sign-in made from it will have.
        sign_in: SignInId,
        /// When the person proved who they are.
        authenticated_at: Timestamp,
    },
    /// Refused by the person.
    Denied,
    /// No such code, spent, or expired.
    Invalid,
}

impl Store {
    /// Stores a device authorization; `Taken` when the user code is in use.
    pub async fn issue_device_code(&self, device: &DeviceAuthorization) -> Result<(), ChangeError> {
        let _ = device;
        todo!()
    }

    /// The unexpired authorization with this user code.
    pub async fn device_by_user_code(
        &self,
        user_code: &str,
        now: Timestamp,
    ) -> Result<Option<DeviceAuthorization>, StoreError> {
        let _ = (user_code, now);
        todo!()
    }

    /// Approves a pending authorization. `false` when there is none, or it is answered already.
    pub async fn approve_device(
        &self,
        user_code: &str,
        user: UserId,
        sign_in: SignInId,
        authenticated_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, ChangeError> {
        let _ = (user_code, user, sign_in, authenticated_at, now);
        todo!()
    }

    /// Refuses a pending authorization. `false` when there is none, or it is answered already.
    pub async fn deny_device(&self, user_code: &str, now: Timestamp) -> Result<bool, ChangeError> {
        let _ = (user_code, now);
        todo!()
    }

    /// Answers a poll; of parallel polls of an approved code exactly one is `Approved`.
    pub async fn poll_device(&self, hash: SecretHash, now: Timestamp) -> Result<DevicePoll, ChangeError> {
        let _ = (hash, now);
        todo!()
    }
}
