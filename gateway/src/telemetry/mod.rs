//! What the node tells about itself: log lines and metrics. Never a token, a cookie or a body.

mod line;
pub mod metric;
mod writer;

use crate::config::{Log, LogFormat};
use std::io::{self, IsTerminal};
use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};
use writer::LogGuard;

/// The log; what is queued is written when it is dropped.
#[must_use = "lines that are queued are lost with it"]
pub struct RunningLog {
    filter: reload::Handle<EnvFilter, Registry>,
    _guard: LogGuard,
}

impl RunningLog {
    /// From here on, lines that this filter lets pass.
    pub fn set_level(&self, level: &str) -> Result<(), reload::Error> {
        self.filter.reload(EnvFilter::new(level))
    }
}

/// Starts logging to standard error: JSON lines, or text for a terminal.
pub fn init_log(log: &Log) -> io::Result<RunningLog> {
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let format = if json { line::Line::Json } else { line::Line::Text };
    let (queue, guard) = writer::start(io::stderr())?;
    let layer = fmt::layer().event_format(format).with_writer(queue);
    // A second start in one process keeps the first.
    let (level, filter) = reload::Layer::new(EnvFilter::new(&log.level));
    let _ = tracing_subscriber::registry().with(level).with(layer).try_init();
    Ok(RunningLog { filter, _guard: guard })
}
