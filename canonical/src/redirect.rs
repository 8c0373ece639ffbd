//! Where a sign-in may lead back to: a path of this host, or a registered application (O5).

use crate::Host;

/// The longest target; deep links with a long query fit.
const NEXT_MAX: usize = 2_048;

/// A place that a browser may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A path of this very host.
    Here(String),
    /// An application.
    App {
        /// Its host.
        host: Host,
        /// The path and query there.
        path: String,
    },
}

/// The text leads elsewhere, or could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the target of the redirect leads elsewhere")]
pub struct NextRefused;

impl Next {
    /// The value of `Location`.
    pub fn location(&self) -> String {
        match self {
            Self::Here(path) => path.clone(),
            Self::App { host, path } => format!("https://{host}{path}"),
        }
    }
}

/// Reads where somebody asks to be sent. What browsers and parsers could read differently is refused, and the result is
/// put together anew from the parts that were read, so that what was checked is what is sent.
pub fn safe_next(text: &str, is_app: impl Fn(&Host) -> bool) -> Result<Next, NextRefused> {
    // Browsers drop tabs and line ends, trim spaces, and take a back slash for a slash.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"'<>^`{|}".contains(&byte));
    if text.len() > NEXT_MAX || !is_plain {
        return Err(NextRefused);
    }
    if text.starts_with('/') {
        return path(text).map(Next::Here);
    }
    let rest = text.strip_prefix("https://").ok_or(NextRefused)?;
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host: Host = authority.parse().map_err(|_| NextRefused)?;
    if !is_app(&host) {
        return Err(NextRefused);
    }
    let path = if after.is_empty() { "/".to_owned() } else { path(after)? };
    Ok(Next::App { host, path })
}

/// A path that begins with exactly one slash, however often it is decoded.
fn path(text: &str) -> Result<String, NextRefused> {
    let second = text.strip_prefix('/').ok_or(NextRefused)?;
    let path = second.split(['?', '#']).next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let escaped = ["%2f", "%5c", "%25", "%00", "%09", "%0a", "%0d", "%20", "%2e"];
    let starts_odd = path.starts_with('/') || escaped.iter().any(|escape| lower.starts_with(escape));
    let climbs = path.split('/').any(|segment| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == ".." || segment == "."
    });
    // Control characters and back slashes in disguise, wherever they stand: nothing of ours has them in a path.
    let hides = ["%00", "%09", "%0a", "%0d", "%5c"].iter().any(|escape| lower.contains(escape));
    if starts_odd || climbs || hides { Err(NextRefused) } else { Ok(text.to_owned()) }
}
