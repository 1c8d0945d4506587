//! Recorded deliveries, whatever form they were kept in.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::document::{Document, Documents};
use crate::event::{self, Delivery, Rejection};

/// What stands at a line of a stream.
#[derive(Debug)]
pub enum Line {
    /// A delivery that reads.
    Delivery(Box<Recorded>),
    /// Something that must not be applied.
    Refused(Refused),
}

/// A delivery of a recorded stream.
#[derive(Debug)]
pub struct Recorded {
    /// The line it begins at, from 1.
    pub line: u64,
    /// The raw body, to be signed and sent, or handed to intake.
    pub body: Vec<u8>,
    /// The header it was captured with. Too old by now: sign afresh.
    pub signature: Option<String>,
    /// The body, read.
    pub delivery: Delivery,
    /// Where the body stands, to read it again.
    pub place: Place,
}

/// A line that is no delivery, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Refused {
    /// From 1.
    pub line: u64,
    /// A stable code: one of [`Rejection::code`], or `document_too_large`.
    pub code: &'static str,
    /// For people.
    pub reason: String,
}

/// Where a body stands in its stream: 16 bytes an event, instead of the body itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Of its first byte.
    pub offset: u64,
    /// In bytes; no document is longer than 64 MiB.
    pub length: u32,
    /// The bytes are a captured delivery, and the body a text within.
    pub captured: bool,
}

impl Place {
    /// Reads the body again.
    pub fn read(&self, stream: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
        stream.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = vec![0; self.length as usize];
        stream.read_exact(&mut bytes)?;
        self.body(bytes)
    }

    /// The body, of the bytes that stand here.
    pub fn body(&self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        if !self.captured {
            return Ok(bytes);
        }
        let captured: Captured = serde_json::from_slice(&bytes)?;
        Ok(captured.raw.into_bytes())
    }
}

/// A delivery as a capturing endpoint wrote it down.
#[derive(Deserialize)]
struct Captured {
    raw: String,
    sig: Option<String>,
}

/// The few keys that tell the forms apart.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    raw: Option<&'a RawValue>,
}

/// Reads a stream of events in any of these forms, also mixed, one document in memory at a time:
/// an event a line (`stripe listen --format JSON` prints so, too); captured deliveries `{raw, sig, ..}`; pages of the
/// Events API (`{"object": "list", "data": [..]}`) and bare arrays, on one line or many, in the order they stand;
/// `EventBridge` and Event Grid envelopes.
#[derive(Debug)]
pub struct StreamReader<R> {
    documents: Documents<R>,
    open: Option<Page>,
}

/// A document with several deliveries, of which some were given out.
#[derive(Debug)]
struct Page {
    document: Document,
    /// Where the others stand in it.
    left: VecDeque<Range<usize>>,
    /// Up to here its line breaks are counted, and in which line that is.
    counted: usize,
    line: u64,
}

impl<R: BufRead> StreamReader<R> {
    /// A reader at the beginning of `input`; offsets count from here.
    pub fn new(input: R) -> Self {
        Self {
            documents: Documents::new(input),
            open: None,
        }
    }

    /// Bytes consumed so far, for showing progress.
    pub fn bytes_read(&self) -> u64 {
        self.documents.bytes_read()
    }
}

impl<R: BufRead> Iterator for StreamReader<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(line) = self.open.as_mut().and_then(Page::next) {
                return Some(Ok(line));
            }
            match self.documents.next() {
                Ok(Some(document)) => match opened(document) {
                    Ok(page) => self.open = Some(page),
                    Err(refused) => return Some(Ok(Line::Refused(refused))),
                },
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A document and where its deliveries stand in it, none of them read yet.
fn opened(document: Document) -> Result<Page, Refused> {
    if document.too_large {
        let reason = "the document is larger than 64 MiB; write one event a line".to_owned();
        return Err(Refused {
            line: document.line,
            code: "document_too_large",
            reason,
        });
    }
    let text =
        std::str::from_utf8(&document.bytes).map_err(|_| refused(document.line, &Rejection::NotUtf8))?;
    let trimmed = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    let range = |part: &str| {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        start..start + part.len()
    };
    let left = match elements(trimmed) {
        Some(elements) => elements.into_iter().map(|element| range(element.get())).collect(),
        None => VecDeque::from([range(trimmed)]),
    };
    let line = document.line;
    Ok(Page {
        document,
        left,
        counted: 0,
        line,
    })
}

/// The elements of an array or of an Events API page.
fn elements(text: &str) -> Option<Vec<&RawValue>> {
    if text.starts_with('[') {
        return serde_json::from_str(text).ok();
    }
    let shape: Shape<'_> = serde_json::from_str(text).ok()?;
    let is_page = shape.object.is_some_and(|object| object.get() == "\"list\"");
    is_page
        .then_some(shape.data)
        .flatten()
        .and_then(|data| serde_json::from_str(data.get()).ok())
}

impl Page {
    fn next(&mut self) -> Option<Line> {
        let range = self.left.pop_front()?;
        let passed = &self.document.bytes[self.counted..range.start];
        self.line += passed.split(|byte| *byte == b'\n').count() as u64 - 1;
        self.counted = range.start;
        Some(line_of(&self.document, self.line, range))
    }
}

/// One delivery, which stands there in its document, in this line.
fn line_of(document: &Document, line: u64, range: Range<usize>) -> Line {
    let bytes = &document.bytes[range.clone()];
    let captured = captured(bytes);
    let place = Place {
        offset: document.offset + range.start as u64,
        length: u32::try_from(range.len()).expect("a document of at most 64 MiB"),
        captured: captured.is_some(),
    };
    let (body, signature) = match captured {
        Some(captured) => (captured.raw.into_bytes(), captured.sig),
        None => (bytes.to_vec(), None),
    };
    match event::parse(&body) {
        Ok(delivery) => Line::Delivery(Box::new(Recorded {
            line,
            body,
            signature,
            delivery,
            place,
        })),
        Err(rejection) => Line::Refused(refused(line, &rejection)),
    }
}

fn captured(bytes: &[u8]) -> Option<Captured> {
    let shape: Shape<'_> = serde_json::from_slice(bytes).ok()?;
    let has_raw_text = shape.raw.is_some_and(|raw| raw.get().starts_with('"'));
    has_raw_text.then(|| serde_json::from_slice(bytes).ok()).flatten()
}

fn refused(line: u64, rejection: &Rejection) -> Refused {
    Refused {
        line,
        code: rejection.code(),
        reason: rejection.to_string(),
    }
}

#[cfg(test)]
mod tests;
