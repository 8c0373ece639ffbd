//! What the node tells about itself: log lines and metrics. Never a token, a cookie or a body.

mod line;
pub mod metric;
mod writer;

pub use writer::LogGuard;

use crate::config::{Log, LogFormat};
use std::io::{self, IsTerminal};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging to standard error: JSON lines, or text for a terminal.
pub fn init_log(log: &Log) -> io::Result<LogGuard> {
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let format = if json { line::Line::Json } else { line::Line::Text };
    let (queue, guard) = writer::start(io::stderr())?;
    let layer = fmt::layer().event_format(format).with_writer(queue);
    // A second start in one process keeps the first.
    let _ = tracing_subscriber::registry().with(EnvFilter::new(&log.level)).with(layer).try_init();
    Ok(guard)
}
