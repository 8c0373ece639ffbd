//! The message that is being written, past tungstenite.

use super::Gate;
use bytes::{BufMut, BytesMut};
use postern_tunnel_proto::Transmit;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;
use tokio_tungstenite::tungstenite::{
    Error,
    protocol::frame::{
        FrameHeader,
        coding::{Data, OpCode},
    },
};

/// Pieces of a message that one system call takes.
const PIECES_MAX: usize = 64;

/// The message that is being written.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) transmit: Transmit,
    header: Vec<u8>,
    /// The whole message, masked; dialing side only.
    pub(super) masked: BytesMut,
    written: usize,
    length: usize,
}

impl Outgoing {
    pub(super) fn begin(&mut self, mask: Option<[u8; 4]>) {
        let length = self.transmit.len();
        self.header.clear();
        let opcode = OpCode::Data(Data::Binary);
        let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
        // Writing into a Vec cannot fail.
        let _ = header.format(u64::try_from(length).unwrap_or(u64::MAX), &mut self.header);
        self.written = 0;
        self.length = self.header.len() + length;
        if let Some(mask) = mask {
            self.masked.clear();
            self.masked.reserve(self.length);
            self.masked.put_slice(&self.header);
            let mut offset = 0;
            for slice in self.transmit.slices() {
                put_masked(&mut self.masked, slice, mask, offset);
                offset += slice.len();
            }
            self.transmit.clear();
        }
    }

    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        gate: &mut Gate<S>,
    ) -> Poll<Result<(), Error>> {
        while self.written < self.length {
            let taken = if self.masked.is_empty() {
                ready!(self.poll_write_pieces(cx, &mut gate.inner))
            } else {
                let rest = self.masked.get(self.written..).unwrap_or_default();
                ready!(Pin::new(&mut gate.inner).poll_write(cx, rest))
            };
            let taken = taken.map_err(Error::Io)?;
            if taken == 0 {
                return Poll::Ready(Err(Error::Io(io::ErrorKind::WriteZero.into())));
            }
            self.written += taken;
            gate.written += taken as u64;
        }
        self.masked.clear();
        self.transmit.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_write_pieces<S: AsyncWrite + Unpin>(
        &self,
        cx: &mut Context<'_>,
        inner: &mut S,
    ) -> Poll<io::Result<usize>> {
        let mut skip = self.written;
        let mut slices = [IoSlice::new(&[]); PIECES_MAX];
        let rest =
            std::iter::once(self.header.as_slice()).chain(self.transmit.slices()).filter_map(|piece| {
                let rest = piece.get(skip..);
                skip = skip.saturating_sub(piece.len());
                rest.filter(|rest| !rest.is_empty())
            });
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(rest) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        Pin::new(inner).poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
    }
}

/// Appends `bytes`, masked as RFC 6455 section 5.3 says for the position `offset` of the payload.
fn put_masked(out: &mut BytesMut, bytes: &[u8], mask: [u8; 4], offset: usize) {
    const WORD: usize = 32;
    let mut turned = mask;
    turned.rotate_left(offset % 4);
    let word: [u8; WORD] = std::array::from_fn(|i| turned.get(i % 4).copied().unwrap_or_default());
    for chunk in bytes.chunks(WORD) {
        if let Ok(chunk) = <&[u8; WORD]>::try_from(chunk) {
            let masked: [u8; WORD] = std::array::from_fn(|i| chunk[i] ^ word[i]);
            out.put_slice(&masked);
        } else {
            out.extend(chunk.iter().zip(word).map(|(byte, mask)| byte ^ mask));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_runs_on_across_pieces() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mask = [1, 2, 3, 4];
        let mut out = BytesMut::new();
        let (first, second) = bytes.split_at(37);
        put_masked(&mut out, first, mask, 0);
        put_masked(&mut out, second, mask, 37);
        let plain: Vec<u8> = out.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(plain, bytes);
    }
}
