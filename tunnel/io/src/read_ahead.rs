//! Large reads from a socket for layers above that ask for little at a time.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one system call may bring: four records of TLS. rustls asks for 4 KiB at a time, and never for more than a record.
const READ_MAX: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A transport under TLS that is read from in large pieces. It holds a buffer only between two reads that one piece
/// serves; a quiet connection holds none.
#[derive(Debug)]
pub struct ReadAhead<S> {
    inner: S,
    /// Empty, or a whole buffer.
    buffer: Vec<u8>,
    /// What of the buffer was not given out yet.
    from: usize,
    to: usize,
}

impl<S> ReadAhead<S> {
    /// Reads from `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner, buffer: Vec::new(), from: 0, to: 0 }
    }

    /// The transport itself, to set its options. What is read from it is missing here.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Gives what was read earlier.
    fn give(&mut self, out: &mut ReadBuf<'_>) {
        let waiting = self.buffer.get(self.from..self.to).unwrap_or_default();
        let length = waiting.len().min(out.remaining());
        out.put_slice(waiting.get(..length).unwrap_or_default());
        self.from += length;
        if self.from == self.to {
            SPARE.set(std::mem::take(&mut self.buffer));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.from == this.to {
            if out.remaining() >= READ_MAX {
                return Pin::new(&mut this.inner).poll_read(cx, out);
            }
            let mut buffer = SPARE.take();
            // Cleared once, when it is made.
            buffer.resize(READ_MAX, 0);
            let mut piece = ReadBuf::new(&mut buffer);
            let polled = Pin::new(&mut this.inner).poll_read(cx, &mut piece);
            let length = piece.filled().len();
            if length == 0 {
                SPARE.set(buffer);
                return polled;
            }
            (this.buffer, this.from, this.to) = (buffer, 0, length);
        }
        this.give(out);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// Says what it has, and counts how often it was asked.
    #[derive(Debug)]
    struct Source {
        bytes: Vec<u8>,
        asked: usize,
    }

    impl AsyncRead for Source {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.asked += 1;
            let length = out.remaining().min(self.bytes.len());
            out.put_slice(&self.bytes[..length]);
            self.bytes.drain(..length);
            Poll::Ready(Ok(()))
        }
    }

    fn source(length: usize) -> (ReadAhead<Source>, Vec<u8>) {
        let bytes: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
        (ReadAhead::new(Source { bytes: bytes.clone(), asked: 0 }), bytes)
    }

    async fn read(from: &mut ReadAhead<Source>, most: usize) -> Vec<u8> {
        let mut room = vec![0; most];
        let mut out = ReadBuf::new(&mut room);
        poll_fn(|cx| Pin::new(&mut *from).poll_read(cx, &mut out)).await.unwrap();
        out.filled().to_vec()
    }

    #[tokio::test]
    async fn a_reader_of_little_gets_every_byte_in_order_from_few_calls() {
        let (mut ahead, sent) = source(200 * 1024);
        let mut received = Vec::new();
        loop {
            let piece = read(&mut ahead, 4 * 1024).await;
            if piece.is_empty() {
                break;
            }
            received.extend(piece);
        }
        assert_eq!(received, sent);
        assert_eq!(ahead.get_ref().asked, 5, "four calls for the bytes and one for the end");
    }

    #[tokio::test]
    async fn a_connection_holds_a_buffer_only_while_something_waits_in_it() {
        let (mut ahead, sent) = source(100);
        assert_eq!(read(&mut ahead, 60).await, &sent[..60]);
        assert_eq!(ahead.buffer.len(), READ_MAX);
        assert_eq!(read(&mut ahead, 60).await, &sent[60..]);
        assert_eq!(ahead.buffer.capacity(), 0);
        assert_eq!(read(&mut ahead, 60).await, b"");
        assert_eq!(ahead.buffer.capacity(), 0);
    }

    #[tokio::test]
    async fn a_reader_of_much_is_served_without_a_copy() {
        let (mut ahead, sent) = source(300 * 1024);
        assert_eq!(read(&mut ahead, 256 * 1024).await, &sent[..256 * 1024]);
        assert_eq!(ahead.get_ref().asked, 1);
    }
}
