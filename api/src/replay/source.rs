//! Recorded streams to replay: what is in them, and where each body stands.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::PathBuf;

use tallybook_stripe::event::Delivery;
use tallybook_stripe::replay::{Line, Place, Refused, StreamReader};

/// Where a recorded stream is.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// In a file.
    File(PathBuf),
    /// In the program.
    Bundled(&'static [u8]),
}

trait Seekable: Read + Seek {}
impl<T: Read + Seek> Seekable for T {}

impl Source {
    fn open(&self) -> io::Result<Box<dyn Seekable>> {
        Ok(match self {
            Self::File(path) => Box::new(File::open(path)?),
            Self::Bundled(bytes) => Box::new(Cursor::new(*bytes)),
        })
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bundled(_) => "the bundled stream".to_owned(),
        }
    }
}

/// An event of the streams, without its body.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    /// Stripe's id.
    pub(super) event_id: String,
    /// When Stripe made it, Unix seconds; none for a thin event.
    pub(super) created: Option<i64>,
    /// Live or test mode.
    pub(super) livemode: bool,
    source: usize,
    place: Place,
}

/// Streams, indexed.
#[derive(Debug)]
pub(super) struct Streams {
    sources: Vec<Source>,
    /// Their events, in the order they stand.
    pub(super) events: Vec<Recorded>,
    /// The lines that are no deliveries, with the name of the stream.
    pub(super) refused: Vec<(String, Refused)>,
}

impl Streams {
    /// Read streams through once and remember where everything stands.
    pub(super) fn index(sources: Vec<Source>) -> io::Result<Self> {
        let mut streams = Self {
            events: Vec::new(),
            refused: Vec::new(),
            sources,
        };
        for (source, stream) in streams.sources.iter().enumerate() {
            let context =
                |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", stream.name()));
            for line in StreamReader::new(BufReader::new(stream.open().map_err(context)?)) {
                match line.map_err(context)? {
                    Line::Refused(refused) => streams.refused.push((stream.name(), refused)),
                    Line::Delivery(recorded) => {
                        let (event_id, created, livemode) = match &recorded.delivery {
                            Delivery::Event(event) => (
                                event.snapshot.event_id.clone(),
                                Some(event.snapshot.created),
                                event.livemode,
                            ),
                            Delivery::Thin(hint) => (hint.event_id.clone(), None, hint.livemode),
                        };
                        let place = recorded.place;
                        streams.events.push(Recorded {
                            event_id,
                            created,
                            livemode,
                            source,
                            place,
                        });
                    }
                }
            }
        }
        Ok(streams)
    }

    /// The body of an event.
    pub(super) fn body(&self, event: usize) -> io::Result<Vec<u8>> {
        let recorded = &self.events[event];
        recorded.place.read(&mut self.sources[recorded.source].open()?)
    }

    /// The greatest `created` of all.
    pub(super) fn newest(&self) -> Option<i64> {
        self.events.iter().filter_map(|event| event.created).max()
    }
}
