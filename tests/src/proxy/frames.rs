//! PostgreSQL's wire protocol, version 3, as far as telling one message from the next.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// A type byte and a length.
const HEADER: usize = 5;

/// One message.
pub(super) struct Frame {
    /// Its type; `None` for the first one of a connection, which has none.
    kind: Option<u8>,
    /// All of it, as it travelled.
    pub(super) bytes: Vec<u8>,
}

impl Frame {
    fn body(&self, kind: u8) -> Option<&[u8]> {
        (self.kind == Some(kind)).then(|| &self.bytes[HEADER..])
    }

    /// The name and the text of a statement that is prepared here.
    pub(super) fn prepares(&self) -> Option<(&[u8], &[u8])> {
        let mut texts = self.body(b'P')?.split(|byte| *byte == 0);
        Some((texts.next()?, texts.next()?))
    }

    /// The name of the prepared statement that is run here.
    pub(super) fn binds(&self) -> Option<&[u8]> {
        self.body(b'B')?.split(|byte| *byte == 0).nth(1)
    }

    /// The text of a statement that is run here.
    pub(super) fn query(&self) -> Option<&[u8]> {
        self.body(b'Q')?.split(|byte| *byte == 0).next()
    }

    /// Of the engine: the database answers after this.
    pub(super) fn asks_for_answer(&self) -> bool {
        matches!(self.kind, Some(b'Q' | b'S'))
    }

    /// Of the database: its answer ends with this.
    pub(super) fn is_ready(&self) -> bool {
        self.kind == Some(b'Z')
    }
}

/// Messages of one side.
pub(super) struct Frames<R> {
    from: R,
    read: Vec<u8>,
    /// Whether the next message has a type.
    typed: bool,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn from_engine(from: R) -> Self {
        Self {
            from,
            read: Vec::new(),
            typed: false,
        }
    }

    pub(super) fn from_database(from: R) -> Self {
        Self {
            from,
            read: Vec::new(),
            typed: true,
        }
    }

    /// The next one; `None` at the end. May be dropped while it waits: what was read is kept.
    pub(super) async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take() {
                return Ok(Some(frame));
            }
            if self.from.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let before_length = usize::from(self.typed);
        let length = self.read.get(before_length..before_length + 4)?;
        let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
        let end = before_length + usize::try_from(length).expect("a message fits in memory");
        if self.read.len() < end {
            return None;
        }
        let rest = self.read.split_off(end);
        let bytes = std::mem::replace(&mut self.read, rest);
        let kind = self.typed.then(|| bytes[0]);
        self.typed = true;
        Some(Frame { kind, bytes })
    }
}
