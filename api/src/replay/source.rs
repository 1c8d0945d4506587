//! Recorded streams to replay: what is in them, and where each body stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use tallybook_domain::Timestamp;
use tallybook_stripe::event::{self, Delivery};
use tallybook_stripe::replay::{Line, Place, Refused, StreamReader};

/// Refused lines that are remembered; the others are told and counted.
const REFUSED_MAX: usize = 1_000;

/// Where a recorded stream is.
#[derive(Debug)]
pub(super) enum Source {
    /// In a file.
    File(PathBuf, File),
    /// In the program.
    Bundled(&'static [u8]),
}

impl Source {
    /// A file; `-` is standard input. What is no regular file is copied to one first: bodies are read again later.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str() == "-" {
            Path::new("/dev/stdin")
        } else {
            path
        };
        let context = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut file = File::open(path).map_err(context)?;
        if !file.metadata().map_err(context)?.is_file() {
            let mut copy = tempfile::tempfile()?;
            io::copy(&mut file, &mut copy).map_err(context)?;
            copy.rewind()?;
            file = copy;
        }
        Ok(Self::File(path.to_owned(), file))
    }

    fn name(&self) -> String {
        match self {
            Self::File(path, _) => path.display().to_string(),
            Self::Bundled(_) => "the bundled stream".to_owned(),
        }
    }

    fn length(&self) -> io::Result<u64> {
        match self {
            Self::File(_, file) => Ok(file.metadata()?.len()),
            Self::Bundled(bytes) => Ok(bytes.len() as u64),
        }
    }

    fn reader(&self) -> Box<dyn Read + '_> {
        match self {
            Self::File(_, file) => Box::new(file),
            Self::Bundled(bytes) => Box::new(Cursor::new(*bytes)),
        }
    }

    fn body(&self, place: Place) -> io::Result<Vec<u8>> {
        match self {
            Self::File(_, file) => {
                let mut bytes = vec![0; place.length as usize];
                file.read_exact_at(&mut bytes, place.offset)?;
                place.body(bytes)
            }
            Self::Bundled(bytes) => place.read(&mut Cursor::new(*bytes)),
        }
    }
}

/// Streams, indexed: 16 bytes an event.
#[derive(Debug)]
pub(super) struct Streams {
    sources: Vec<Source>,
    /// The index of each source's first event.
    begins: Vec<u32>,
    /// Where the events stand, in their order.
    places: Vec<Place>,
    /// The mode of the first event.
    pub(super) livemode: bool,
    /// The greatest `created` of all, Unix seconds.
    newest: Option<i64>,
    /// Indexes of the events that were asked for by id.
    named: BTreeMap<String, BTreeSet<u32>>,
    /// Lines that are no deliveries, with the name of the stream: the first of them.
    pub(super) refused: Vec<(String, Refused)>,
    /// How many there are.
    pub(super) refused_count: u64,
}

impl Streams {
    /// Read streams through once and remember where everything stands, and which events have these ids.
    pub(super) fn index(sources: Vec<Source>, ids: &[String], progress: &ProgressBar) -> io::Result<Self> {
        let mut streams = Self {
            sources: Vec::new(),
            begins: Vec::new(),
            places: Vec::new(),
            livemode: false,
            newest: None,
            named: ids.iter().map(|id| (id.clone(), BTreeSet::new())).collect(),
            refused: Vec::new(),
            refused_count: 0,
        };
        let lengths = sources.iter().map(Source::length).sum::<io::Result<u64>>()?;
        progress.set_length(lengths);
        let mut before = 0;
        for source in sources {
            let name = source.name();
            streams.begins.push(streams.len());
            let mut reader = StreamReader::new(BufReader::new(source.reader()));
            while let Some(line) = reader.next() {
                let line = line.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
                streams.note(&name, line)?;
                progress.set_position(before + reader.bytes_read());
            }
            before += reader.bytes_read();
            drop(reader);
            streams.sources.push(source);
        }
        Ok(streams)
    }

    fn note(&mut self, name: &str, line: Line) -> io::Result<()> {
        let recorded = match line {
            Line::Delivery(recorded) => recorded,
            Line::Refused(refused) => {
                eprintln!("{name}: {refused} ({})", refused.code);
                self.refused_count += 1;
                if self.refused.len() < REFUSED_MAX {
                    self.refused.push((name.to_owned(), refused));
                }
                return Ok(());
            }
        };
        let number = u32::try_from(self.places.len())
            .map_err(|_| io::Error::other(format!("{name}: more than {} events", u32::MAX)))?;
        if number == 0 {
            self.livemode = livemode(&recorded.delivery);
        }
        self.newest = self.newest.max(created(&recorded.delivery));
        if let Some(indexes) = self.named.get_mut(event_id(&recorded.delivery)) {
            indexes.insert(number);
        }
        self.places.push(recorded.place);
        Ok(())
    }

    /// How many events there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.places.len()).expect("counted while they were noted")
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The body of an event.
    pub(super) fn body(&self, event: u32) -> io::Result<Vec<u8>> {
        let source = self.begins.partition_point(|begin| *begin <= event) - 1;
        self.sources[source].body(self.places[event as usize])
    }

    /// The id of an event.
    pub(super) fn event_id(&self, event: u32) -> String {
        let read = self.body(event).ok().and_then(|body| event::parse(&body).ok());
        read.map_or_else(
            || format!("event {event}"),
            |delivery| event_id(&delivery).to_owned(),
        )
    }

    /// The events that were asked for by id, or the first id that is nobody's.
    pub(super) fn named(&self) -> Result<BTreeSet<u32>, &str> {
        match self.named.iter().find(|(_, indexes)| indexes.is_empty()) {
            Some((id, _)) => Err(id),
            None => Ok(self.named.values().flatten().copied().collect()),
        }
    }

    /// When the newest event was made.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        Timestamp::from_timestamp(self.newest?, 0)
    }
}

fn event_id(delivery: &Delivery) -> &str {
    match delivery {
        Delivery::Event(event) => &event.snapshot.event_id,
        Delivery::Thin(hint) => &hint.event_id,
    }
}

/// When Stripe made it, Unix seconds; none for a thin event.
pub(super) fn created(delivery: &Delivery) -> Option<i64> {
    match delivery {
        Delivery::Event(event) => Some(event.snapshot.created),
        Delivery::Thin(_) => None,
    }
}

fn livemode(delivery: &Delivery) -> bool {
    match delivery {
        Delivery::Event(event) => event.livemode,
        Delivery::Thin(hint) => hint.livemode,
    }
}
