//! The parts of a state in their order, however many there are: what does not fit in memory is sorted in pieces on disk.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::vec;

use tallybook_stripe::replay::state::Part;

/// What is held in memory, about.
const HELD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What a part takes beside its text.
const PART_BYTES: usize = size_of::<Part>();

/// Takes parts in any order.
pub(super) struct Sorting {
    held: Vec<Part>,
    held_bytes: usize,
    held_bytes_max: usize,
    pieces: Vec<Piece>,
}

/// Parts in order, in a file that is gone once it is closed.
struct Piece(BufReader<File>);

/// Gives them back in order.
pub(super) struct Sorted {
    held: vec::IntoIter<Part>,
    pieces: Vec<Piece>,
    /// The next part of each piece, and of what is held under their number.
    next: BinaryHeap<Reverse<(Part, usize)>>,
}

impl Sorting {
    pub(super) fn new() -> Self {
        Self::holding(HELD_BYTES_MAX)
    }

    fn holding(held_bytes_max: usize) -> Self {
        Self {
            held: Vec::new(),
            held_bytes: 0,
            held_bytes_max,
            pieces: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, parts: Vec<Part>) -> io::Result<()> {
        self.held_bytes += parts
            .iter()
            .map(|part| part.text.len() + PART_BYTES)
            .sum::<usize>();
        self.held.extend(parts);
        if self.held_bytes > self.held_bytes_max {
            self.held.sort_unstable();
            self.pieces.push(Piece::write(self.held.drain(..))?);
            self.held_bytes = 0;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        self.held.sort_unstable();
        let mut sorted = Sorted {
            held: self.held.into_iter(),
            pieces: self.pieces,
            next: BinaryHeap::new(),
        };
        for number in 0..=sorted.pieces.len() {
            sorted.refill(number)?;
        }
        Ok(sorted)
    }
}

impl Sorted {
    fn refill(&mut self, number: usize) -> io::Result<()> {
        let part = match self.pieces.get_mut(number) {
            Some(piece) => piece.read()?,
            None => self.held.next(),
        };
        self.next.extend(part.map(|part| Reverse((part, number))));
        Ok(())
    }
}

impl Iterator for Sorted {
    type Item = io::Result<Part>;

    fn next(&mut self) -> Option<io::Result<Part>> {
        let Reverse((part, number)) = self.next.pop()?;
        Some(self.refill(number).map(|()| part))
    }
}

impl Piece {
    /// Each part as the length of its text, the text, and its share: 17 bytes, the first of them whether there is one.
    fn write(parts: impl Iterator<Item = Part>) -> io::Result<Self> {
        let mut file = BufWriter::new(tempfile::tempfile()?);
        for part in parts {
            file.write_all(&(part.text.len() as u64).to_le_bytes())?;
            file.write_all(part.text.as_bytes())?;
            file.write_all(&[u8::from(part.net.is_some())])?;
            file.write_all(&part.net.unwrap_or_default().to_le_bytes())?;
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Self(BufReader::new(file)))
    }

    fn read(&mut self) -> io::Result<Option<Part>> {
        let mut length = [0; 8];
        match self.0.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let mut text = String::new();
        (&mut self.0)
            .take(u64::from_le_bytes(length))
            .read_to_string(&mut text)?;
        let mut share = [0; 17];
        self.0.read_exact(&mut share)?;
        let [has_share, net @ ..] = share;
        Ok(Some(Part {
            text,
            net: (has_share == 1).then(|| i128::from_le_bytes(net)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts in an order of no meaning, with repetitions, line breaks and sums of both signs.
    fn parts() -> Vec<Part> {
        (0_i128..5_000)
            .map(|number| Part {
                text: format!("line {}\nof it", number * 7_919 % 4_001),
                net: (number % 3 > 0).then_some(number - 2_500),
            })
            .collect()
    }

    fn sorted(held_bytes_max: usize) -> (Vec<Part>, usize) {
        let mut sorting = Sorting::holding(held_bytes_max);
        let mut held_most = 0;
        for chunk in parts().chunks(10) {
            sorting.add(chunk.to_vec()).unwrap();
            held_most = held_most.max(sorting.held.len());
        }
        let sorted = sorting.finish().unwrap();
        (sorted.map(Result::unwrap).collect(), held_most)
    }

    #[test]
    fn what_does_not_fit_comes_back_as_what_does() {
        let mut expected = parts();
        expected.sort();
        let (in_memory, held) = sorted(usize::MAX);
        assert_eq!((&in_memory, held), (&expected, 5_000));
        let (on_disk, held) = sorted(10_000);
        assert_eq!(on_disk, expected);
        assert!(held < 300, "{held} parts were held at once");
    }
}
