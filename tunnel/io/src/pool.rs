//! One spare read buffer per thread, so that sessions hold none while they are idle.

use crate::lane::CHUNK_MAX;
use bytes::{Bytes, BytesMut};
use std::{cell::Cell, io};

/// Below this a copy costs less than a buffer that a few waiting bytes would hold.
const COPY_BELOW: usize = 8 * 1024;

thread_local! {
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// Lends a buffer to one read and gives what it read.
pub(crate) fn read_with(read: impl FnOnce(&mut BytesMut) -> io::Result<usize>) -> io::Result<Bytes> {
    let mut buffer = SPARE.take().unwrap_or_else(|| BytesMut::with_capacity(CHUNK_MAX));
    let length = match read(&mut buffer) {
        Ok(length) => length,
        Err(error) => {
            SPARE.set(Some(buffer));
            return Err(error);
        }
    };
    if length >= COPY_BELOW {
        let bytes = buffer.split().freeze();
        // What is left serves the next reads, as long as they can be large.
        if buffer.capacity() >= CHUNK_MAX / 2 {
            SPARE.set(Some(buffer));
        }
        return Ok(bytes);
    }
    let bytes = Bytes::copy_from_slice(&buffer);
    buffer.clear();
    SPARE.set(Some(buffer));
    Ok(bytes)
}
