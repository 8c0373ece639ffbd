//! How long each proof of identity lasts.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// An access token: short, because nothing looks it up.
pub const ACCESS_TOKEN: Duration = Duration::from_secs(15 * MINUTE);

/// A sign-in of the command line: a working day, then the person proves themselves again.
pub const COMMAND_SIGN_IN: Duration = Duration::from_secs(12 * HOUR);

/// A sign-in of a browser, however much it is used.
pub const BROWSER_SIGN_IN: Duration = Duration::from_secs(24 * HOUR);

/// One that nobody uses: a browser that was left alone.
pub const BROWSER_IDLE: Duration = Duration::from_secs(8 * HOUR);

/// One that rests on a provider who cannot be asked again.
pub const UNREFRESHED_SIGN_IN: Duration = Duration::from_secs(HOUR);

/// An authorization code: the browser redirects at once.
pub const AUTHORIZATION_CODE: Duration = Duration::from_secs(MINUTE);

/// A device code: time to find a browser and type eight letters.
pub const DEVICE_CODE: Duration = Duration::from_secs(10 * MINUTE);

/// How far apart a device's polls are.
pub const DEVICE_INTERVAL: Duration = Duration::from_secs(5);

/// A form before it is sent back.
pub const FORM: Duration = Duration::from_secs(HOUR);

/// A bootstrap token.
pub const BOOTSTRAP_TOKEN: Duration = Duration::from_secs(15 * MINUTE);

/// An enrolment token, unless its maker says otherwise.
pub const ENROLMENT_TOKEN: Duration = Duration::from_secs(HOUR);

/// The longest that an enrolment token may last.
pub const ENROLMENT_TOKEN_MAX: Duration = Duration::from_secs(365 * DAY);

/// A service account's token, unless its maker says otherwise.
pub const SERVICE_TOKEN: Duration = Duration::from_secs(90 * DAY);

/// The longest that a service account's token may last.
pub const SERVICE_TOKEN_MAX: Duration = Duration::from_secs(2 * 365 * DAY);

/// A person's token for one application, unless they say otherwise.
pub const APP_TOKEN: Duration = Duration::from_secs(90 * DAY);

/// The longest that a token for an application may last.
pub const APP_TOKEN_MAX: Duration = Duration::from_secs(365 * DAY);
