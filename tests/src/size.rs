//! How much a test does: enough to see a fault, or, when somebody has the time, enough to meet a rare one.

/// A number for this run: the usual one, or the larger one of `cargo xtask test --long`.
pub fn sized<T>(usual: T, long: T) -> T {
    if std::env::var_os("POSTERN_TEST_LONG").is_some() { long } else { usual }
}
