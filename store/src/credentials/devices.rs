//! The device flow (RFC 8628): a code for the machine, a short code for the person, one approval.

use super::{SecretHash, let_in};
use crate::{
    ChangeError, Kind, Store, StoreError,
    change::count,
    db::{Tx, execute, fetch_optional},
};
use postern_ids::{SignInId, Timestamp, UserId};
use std::{net::IpAddr, time::Duration};

/// What RFC 8628 section 3.5 adds to the interval of a device that polls too fast.
const SLOW_DOWN_BY: Duration = Duration::from_secs(5);

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

impl DeviceState {
    const fn label(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Redeemed => "redeemed",
        }
    }
}

fn state_of(label: &str) -> Result<DeviceState, StoreError> {
    [DeviceState::Pending, DeviceState::Approved, DeviceState::Denied, DeviceState::Redeemed]
        .into_iter()
        .find(|state| state.label() == label)
        .ok_or_else(|| StoreError::corrupt("device_codes.state", label))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
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

/// A person's yes to a device.
#[derive(Debug, Clone, Copy)]
pub struct DeviceApproval {
    /// Who says it.
    pub user: UserId,
    /// In which sign-in of their browser.
    pub origin: SignInId,
    /// When they proved who they are there.
    pub authenticated_at: Timestamp,
    /// The id that the device's own sign-in will have.
    pub sign_in: SignInId,
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

type Columns = (Vec<u8>, String, String, String, i64, i64, String);

fn parse(user_code: &str, row: Columns) -> Result<DeviceAuthorization, StoreError> {
    let (hash, client_id, device, address, interval, expires_at, state) = row;
    Ok(DeviceAuthorization {
        hash: SecretHash(
            hash.try_into().map_err(|_| StoreError::corrupt("device_codes.hash", "not 32 bytes"))?,
        ),
        user_code: user_code.to_owned(),
        client_id,
        device,
        address: address.parse().map_err(|_| StoreError::corrupt("device_codes.address", address))?,
        interval: Duration::from_micros(count(interval, "device_codes.interval_us")?),
        expires_at: Timestamp::from_micros(expires_at),
        state: state_of(&state)?,
    })
}

/// State, interval, last poll, user, sign-in, time of authentication.
type Polled = (String, i64, Option<i64>, Option<String>, Option<String>, Option<i64>);

fn approved((.., user, sign_in, authenticated_at): Polled) -> Result<DevicePoll, StoreError> {
    let missing = || StoreError::corrupt("device_codes", "approved by nobody");
    Ok(DevicePoll::Approved {
        user: user.and_then(|id| id.parse().ok()).ok_or_else(missing)?,
        sign_in: sign_in.and_then(|id| id.parse().ok()).ok_or_else(missing)?,
        authenticated_at: authenticated_at.map(Timestamp::from_micros).ok_or_else(missing)?,
    })
}

async fn pace(
    tx: &mut Tx,
    hash: SecretHash,
    row: &Polled,
    now: Timestamp,
) -> Result<DevicePoll, ChangeError> {
    let interval = Duration::from_micros(count(row.1, "device_codes.interval_us")?);
    let too_fast = row.2.is_some_and(|polled_at| now < Timestamp::from_micros(polled_at).plus(interval));
    let interval = if too_fast { interval + SLOW_DOWN_BY } else { interval };
    execute!(
        tx,
        "UPDATE device_codes SET polled_at = $2, interval_us = $3 WHERE hash = $1",
        hash.to_vec(),
        now.as_micros(),
        micros(interval)
    )?;
    Ok(if too_fast { DevicePoll::SlowDown } else { DevicePoll::Pending })
}

impl Store {
    /// Stores a device authorization; `Taken` when the user code is in use.
    pub async fn issue_device_code(&self, device: &DeviceAuthorization) -> Result<(), ChangeError> {
        let mut tx = self.inner.pools.write().await?;
        execute!(
            &mut tx,
            "INSERT INTO device_codes (hash, user_code, client_id, interval_us, expires_at, state, device, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            device.hash.to_vec(),
            &device.user_code,
            &device.client_id,
            micros(device.interval),
            device.expires_at.as_micros(),
            device.state.label(),
            &device.device,
            device.address.to_string()
        )
        .map_err(|error| error.about(Kind::SignIn, &"device code"))?;
        Ok(tx.commit().await?)
    }

    /// The unexpired authorization with this user code.
    pub async fn device_by_user_code(
        &self,
        user_code: &str,
        now: Timestamp,
    ) -> Result<Option<DeviceAuthorization>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<Columns> = fetch_optional!(
            &mut tx,
            Columns,
            "SELECT hash, client_id, device, address, interval_us, expires_at, state FROM device_codes WHERE user_code = $1 AND expires_at > $2",
            user_code,
            now.as_micros()
        )?;
        row.map(|row| parse(user_code, row)).transpose()
    }

    /// Approves a pending authorization. `false` when there is none, or it is answered already; `Missing` when the sign-in in
    /// which it is approved is not live any more.
    pub async fn approve_device(
        &self,
        user_code: &str,
        approval: &DeviceApproval,
        now: Timestamp,
    ) -> Result<bool, ChangeError> {
        let mut tx = self.inner.pools.write().await?;
        let_in::note(&mut tx, approval.sign_in, approval.origin, now).await?;
        let approved = execute!(
            &mut tx,
            "UPDATE device_codes SET state = 'approved', user_id = $2, sign_in_id = $3, authenticated_at = $4
             WHERE user_code = $1 AND state = 'pending' AND expires_at > $5",
            user_code,
            approval.user.to_string(),
            approval.sign_in.to_string(),
            approval.authenticated_at.as_micros(),
            now.as_micros()
        )?;
        if approved == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Refuses a pending authorization. `false` when there is none, or it is answered already.
    pub async fn deny_device(&self, user_code: &str, now: Timestamp) -> Result<bool, ChangeError> {
        let mut tx = self.inner.pools.write().await?;
        let denied = execute!(
            &mut tx,
            "UPDATE device_codes SET state = 'denied' WHERE user_code = $1 AND state = 'pending' AND expires_at > $2",
            user_code,
            now.as_micros()
        )?;
        tx.commit().await?;
        Ok(denied == 1)
    }

    /// Answers a poll; of parallel polls of an approved code exactly one is `Approved`.
    pub async fn poll_device(&self, hash: SecretHash, now: Timestamp) -> Result<DevicePoll, ChangeError> {
        let mut tx = self.inner.pools.write().await?;
        // The update takes the row's lock on Postgres; SQLite has the whole database's already.
        let row: Option<Polled> = fetch_optional!(
            &mut tx,
            Polled,
            "UPDATE device_codes SET interval_us = interval_us WHERE hash = $1 AND expires_at > $2
             RETURNING state, interval_us, polled_at, user_id, sign_in_id, authenticated_at",
            hash.to_vec(),
            now.as_micros()
        )?;
        let Some(row) = row else { return Ok(DevicePoll::Invalid) };
        let answer = match state_of(&row.0)? {
            DeviceState::Pending => pace(&mut tx, hash, &row, now).await?,
            DeviceState::Approved => {
                execute!(
                    &mut tx,
                    "UPDATE device_codes SET state = 'redeemed' WHERE hash = $1",
                    hash.to_vec()
                )?;
                approved(row)?
            }
            DeviceState::Denied => DevicePoll::Denied,
            DeviceState::Redeemed => DevicePoll::Invalid,
        };
        tx.commit().await?;
        Ok(answer)
    }
}
