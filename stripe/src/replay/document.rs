//! Cutting a stream into JSON documents: usually a line each, sometimes pretty-printed over many.
//!
//! A truncated line must not swallow the lines after it. Three marks tell that a document broke off: a line that ends
//! within a string (JSON strings hold no line breaks), a line that starts with `{` in the first column where no array
//! expects an element, and the end of the stream. What was read past the broken line is then looked at again.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read as _};

/// Larger documents are refused: an export of everything belongs in lines.
pub(super) const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One or more lines that should be one JSON document.
#[derive(Debug)]
pub(super) struct Document {
    /// Number of its first line, from 1.
    pub(super) line: u64,
    /// Of its first byte in the stream.
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    /// It is longer than [`DOCUMENT_BYTES_MAX`]; `bytes` is its beginning.
    pub(super) too_large: bool,
}

#[derive(Debug)]
pub(super) struct Documents<R> {
    input: R,
    lines_read: u64,
    bytes_read: u64,
    /// Lines read ahead and given back.
    held: VecDeque<Document>,
}

impl<R: BufRead> Documents<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            lines_read: 0,
            bytes_read: 0,
            held: VecDeque::new(),
        }
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next document; `None` at the end of the stream.
    pub(super) fn next(&mut self) -> io::Result<Option<Document>> {
        let Some(first) = self.next_line_with_json()? else {
            return Ok(None);
        };
        let mut scanner = Scanner::default();
        scanner.feed(&first.bytes);
        if first.too_large || scanner.state() != State::Open {
            return Ok(Some(first));
        }
        let mut following = Vec::new();
        let mut length = first.bytes.len();
        while let Some(line) = self.next_line()? {
            let is_another = line.bytes.first() == Some(&b'{') && !scanner.expects_element();
            scanner.feed(&line.bytes);
            length += line.bytes.len();
            let too_large = line.too_large || length > DOCUMENT_BYTES_MAX;
            following.push(line);
            if is_another || too_large || scanner.state() == State::Broken {
                break;
            }
            if scanner.state() == State::Closed {
                return Ok(Some(joined(first, following)));
            }
        }
        for line in following.into_iter().rev() {
            self.held.push_front(line);
        }
        Ok(Some(first))
    }

    fn next_line_with_json(&mut self) -> io::Result<Option<Document>> {
        while let Some(line) = self.next_line()? {
            if !is_chatter(&line.bytes) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    fn next_line(&mut self) -> io::Result<Option<Document>> {
        if let Some(line) = self.held.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let limit = DOCUMENT_BYTES_MAX as u64 + 1;
        let mut read = self.input.by_ref().take(limit).read_until(b'\n', &mut bytes)? as u64;
        if read == 0 {
            return Ok(None);
        }
        let too_large = bytes.len() > DOCUMENT_BYTES_MAX;
        if too_large && bytes.last() != Some(&b'\n') {
            read += self.input.skip_until(b'\n')? as u64;
        }
        self.lines_read += 1;
        let line = Document {
            line: self.lines_read,
            offset: self.bytes_read,
            bytes,
            too_large,
        };
        self.bytes_read += read;
        Ok(Some(line))
    }
}

fn joined(mut first: Document, following: Vec<Document>) -> Document {
    first
        .bytes
        .reserve_exact(following.iter().map(|line| line.bytes.len()).sum());
    for line in following {
        first.bytes.extend_from_slice(&line.bytes);
    }
    first
}

/// Blank lines, and what `stripe listen` says beside the events.
fn is_chatter(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    match line.first() {
        None => true,
        Some(b'{' | b'[') => false,
        Some(_) => {
            let says = |what: &[u8]| line.windows(what.len()).any(|window| window == what);
            line.starts_with(b"> ") || line.starts_with(b"Ready!") || says(b" --> ") || says(b" <-- ")
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A container is open: the document goes on.
    Open,
    /// Every container is closed, or there is none.
    Closed,
    /// A string is open at a line's end, or more was closed than opened.
    Broken,
}

/// Follows brackets and strings, nothing else: the parser judges the rest.
#[derive(Debug, Default)]
struct Scanner {
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
    broken: bool,
    last: u8,
}

impl Scanner {
    fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.in_string {
                self.feed_string(byte);
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.open.push(byte),
                b'}' | b']' => self.broken |= self.open.pop().is_none(),
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                self.last = byte;
            }
        }
    }

    fn feed_string(&mut self, byte: u8) {
        match byte {
            b'\n' => self.broken = true,
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            _ => {}
        }
    }

    fn state(&self) -> State {
        if self.broken || self.in_string {
            State::Broken
        } else if self.open.is_empty() {
            State::Closed
        } else {
            State::Open
        }
    }

    /// Would an object be in its place here, as the element of an array?
    fn expects_element(&self) -> bool {
        self.open.last() == Some(&b'[') && matches!(self.last, b'[' | b',')
    }
}
