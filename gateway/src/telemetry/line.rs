//! One event becomes one line. Whatever a peer put into a field, it can neither end the line, nor color it, nor turn its
//! direction, nor fill the disk (L1).

use serde_json::{Map, Value};
use std::fmt::{self, Write};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// The longest value of one field, in bytes.
const FIELD_MAX: usize = 1_024;
/// Fields of one event; our own have fewer than twenty.
const FIELDS_MAX: usize = 48;

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line {
    /// A JSON object.
    Json,
    /// A sentence, then the fields.
    Text,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (at, meta) = (jiff::Timestamp::now(), event.metadata());
        match self {
            Self::Json => {
                let mut object = Map::new();
                object.insert("time".into(), format!("{at:.6}").into());
                object.insert("level".into(), meta.level().as_str().into());
                object.insert("message".into(), fields.message.into());
                object.insert("target".into(), meta.target().into());
                for (name, value) in fields.rest {
                    object.entry(name).or_insert(value);
                }
                writeln!(writer, "{}", Value::Object(object))
            }
            Self::Text => {
                write!(writer, "{at:.3} {:5} {}", meta.level(), fields.message)?;
                for (name, value) in fields.rest {
                    match value.as_str() {
                        Some(text) => write!(writer, " {name}={text}")?,
                        None => write!(writer, " {name}={value}")?,
                    }
                }
                writeln!(writer)
            }
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(&'static str, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        if self.rest.len() < FIELDS_MAX {
            self.rest.push((field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Harmless::default();
        // An error here only says that the value was longer than the limit.
        let _ = write!(text, "{value:?}");
        if field.name() == "message" { self.message = text.0 } else { self.push(field, text.0.into()) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Harmless::default();
        let _ = text.write_str(value);
        if field.name() == "message" { self.message = text.0 } else { self.push(field, text.0.into()) }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value.into());
    }
}

/// Text without control and direction characters, no longer than [`FIELD_MAX`].
#[derive(Default)]
struct Harmless(String);

impl Write for Harmless {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() >= FIELD_MAX {
                return Err(fmt::Error);
            }
            if is_harmful(c) {
                write!(self.0, "\\u{{{:x}}}", u32::from(c))?;
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };
    use tracing_subscriber::{fmt::layer, layer::SubscriberExt};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Line, hostile: &str) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = layer().event_format(format).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(agent = %hostile, name = hostile, count = 3u64, "the peer says {hostile}");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const HOSTILE: &str = "a\r\n{\"level\":\"ERROR\"}\u{1b}[31mred\u{202e}txt\u{0}\u{7f}\u{2028}\"";

    #[test]
    fn l01_a_hostile_field_stays_inside_one_json_line() {
        let line = logged(Line::Json, HOSTILE);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.trim_end().chars().any(is_harmful), "{line:?}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["level"], "INFO");
        assert_eq!(value["count"], 3);
        assert!(value["agent"].as_str().unwrap().contains("\\u{202e}"));
    }

    #[test]
    fn l01_a_hostile_field_stays_inside_one_text_line() {
        let line = logged(Line::Text, HOSTILE);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.trim_end().chars().any(is_harmful), "{line:?}");
    }

    #[test]
    fn l01_a_field_of_a_megabyte_is_cut() {
        let line = logged(Line::Json, &"é".repeat(500_000));
        assert!(line.len() < 4 * FIELD_MAX, "{}", line.len());
        let _: Value = serde_json::from_str(&line).unwrap();
    }
}
