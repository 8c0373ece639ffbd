//! Reading one HTTP/1.1 answer from a connection that goes on afterwards.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tungstenite::tungstenite::handshake::{client::Response, machine::TryParse};

/// A gateway's answer has a dozen short headers.
const HEAD_MAX: usize = 16 * 1024;
/// A problem document is a few hundred bytes; more is read from nobody.
const BODY_MAX: usize = 16 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum AnswerError {
    Io(io::Error),
    Malformed(&'static str),
}

/// Status, headers and what follows them: the body (with [`read_body`]) or the upgraded connection's first bytes.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) rest: BytesMut,
}

pub(super) async fn read_answer<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Answer, AnswerError> {
    let mut buffer = BytesMut::with_capacity(2048);
    loop {
        if stream.read_buf(&mut buffer).await.map_err(AnswerError::Io)? == 0 {
            return Err(AnswerError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        match Response::try_parse(&buffer) {
            Ok(Some((length, response))) => {
                let (parts, _) = response.into_parts();
                let rest = buffer.split_off(length.min(buffer.len()));
                return Ok(Answer { status: parts.status, headers: parts.headers, rest });
            }
            Ok(None) if buffer.len() < HEAD_MAX => {}
            Ok(None) => return Err(AnswerError::Malformed("its head is larger than 16 KiB")),
            Err(_) => return Err(AnswerError::Malformed("it is not HTTP/1.1")),
        }
    }
}

impl Answer {
    /// Whether another request may follow on this connection once the body is read.
    pub(super) fn keeps_alive(&self) -> bool {
        let close = self
            .headers
            .get(header::CONNECTION)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
        !close && (self.content_length().is_some() || self.is_chunked())
    }

    fn is_chunked(&self) -> bool {
        self.headers
            .get(header::TRANSFER_ENCODING)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"))
    }

    fn content_length(&self) -> Option<usize> {
        self.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The body, as far as the limit allows.
    pub(super) async fn read_body<S: AsyncRead + Unpin>(
        mut self,
        stream: &mut S,
    ) -> Result<Bytes, AnswerError> {
        if self.is_chunked() {
            return self.read_chunked(stream).await;
        }
        let wanted = self.content_length();
        if wanted.is_some_and(|length| length > BODY_MAX) {
            return Err(AnswerError::Malformed("its body is larger than 16 KiB"));
        }
        while wanted.is_none_or(|length| self.rest.len() < length) && self.rest.len() < BODY_MAX {
            if stream.read_buf(&mut self.rest).await.map_err(AnswerError::Io)? == 0 {
                break;
            }
        }
        match wanted {
            Some(length) if self.rest.len() != length => {
                Err(AnswerError::Malformed("its body has not the length it tells"))
            }
            Some(_) | None => Ok(self.rest.freeze()),
        }
    }

    async fn read_chunked<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> Result<Bytes, AnswerError> {
        loop {
            match dechunk(&self.rest) {
                Ok(Some(body)) => return Ok(body),
                Ok(None) if self.rest.len() <= BODY_MAX => {}
                Ok(None) => return Err(AnswerError::Malformed("its body is larger than 16 KiB")),
                Err(()) => return Err(AnswerError::Malformed("its chunks are broken")),
            }
            if stream.read_buf(&mut self.rest).await.map_err(AnswerError::Io)? == 0 {
                return Err(AnswerError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// The body of a whole chunked message without trailers; `None` while its end is missing.
fn dechunk(mut text: &[u8]) -> Result<Option<Bytes>, ()> {
    let mut body = BytesMut::new();
    loop {
        let Some(end) = text.windows(2).position(|pair| pair == b"\r\n") else {
            return if text.len() > 64 { Err(()) } else { Ok(None) };
        };
        let (line, rest) = text.split_at(end);
        let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let digits = std::str::from_utf8(digits).map_err(|_| ())?;
        let length = usize::from_str_radix(digits.trim(), 16).map_err(|_| ())?;
        if length > BODY_MAX {
            return Err(());
        }
        let Some(chunk) = rest.get(2..2 + length) else { return Ok(None) };
        let Some(tail) = rest.get(2 + length..4 + length) else { return Ok(None) };
        if tail != b"\r\n" {
            return Err(());
        }
        if length == 0 {
            return Ok(Some(body.freeze()));
        }
        body.extend_from_slice(chunk);
        text = rest.get(4 + length..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_and_broken_ones_refused() {
        assert_eq!(dechunk(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), Ok(Some(Bytes::from_static(b"abcde"))));
        assert_eq!(dechunk(b"3\r\nab"), Ok(None));
        assert_eq!(dechunk(b"3\r\nabcde\r\n"), Err(()));
        assert_eq!(dechunk(b"zz\r\n"), Err(()));
        assert_eq!(dechunk(b"ffffffffff\r\n"), Err(()));
    }
}
