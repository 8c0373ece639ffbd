//! The schema's migrations: embedded, applied under a lock, and never older or newer than this program without saying so.
