//! Resumable streams: byte streams that outlive lanes and links (`docs/protocol.md`, "Resumable streams").
