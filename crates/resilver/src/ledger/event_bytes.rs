//! An event of the ledger, as the value of a key of the store's own keyspace.
//!
//! | at | len | field     | meaning                                                                        |
//! |---:|----:|-----------|--------------------------------------------------------------------------------|
//! |  0 |   1 | version   | 1                                                                              |
//! |  1 |   1 | kind      | 1 open, 2 read, 3 scrub, 4 heal, 5 pass, 6 repair, 7 loss accepted, 8 quarantine |
//! |  2 |   1 | outcome   | 1 answered, 2 lost, 3 noted, 4 left, 5 healed, 6 rewritten, 7 refused, 8 failed, 9 complete, 10 cancelled, 11 accepted, 12 released |
//! |  3 |   1 | ranges    | of pages, at most 32                                                           |
//! |  4 |   8 | at        | milliseconds since 1970                                                        |
//! | 12 |   4 | times     | how often the same was met                                                     |
//! | 16 |  56 | evidence  | pages by rung: transient, corrected, (bits), copied, rebuilt, supplied, lost   |
//! | 72 |   1 | file_len  | bytes of the file's name                                                       |
//! | 73 |   1 | note_len  | bytes of the note                                                              |
//! | 74 | `file_len` | file | in UTF-8                                                                    |
//! |    | `note_len` | note | in UTF-8                                                                    |
//! |    | `16 x ranges` | pages | first and count of each range, ascending and apart                      |
//!
//! Nothing else proves them: they stand in blocks and frames that are proven.

use std::{sync::Arc, time::Duration};

use page_ecc::Evidence;

use super::event::{Event, EventKind, Outcome, RANGES_MAX};

const VERSION: u8 = 1;
const FIXED_LEN: usize = 74;

/// Takes bytes from the front.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self, len: u8) -> Option<Arc<str>> {
        let (taken, rest) = self.0.split_at_checked(usize::from(len))?;
        self.0 = rest;
        std::str::from_utf8(taken).ok().map(Into::into)
    }

    pub(super) fn evidence(&mut self) -> Option<Evidence> {
        Some(Evidence {
            transient: self.u64()?,
            corrected: self.u64()?,
            bits: self.u64()?,
            copied: self.u64()?,
            rebuilt: self.u64()?,
            supplied: self.u64()?,
            lost: self.u64()?,
        })
    }
}

pub(super) fn put_evidence(bytes: &mut Vec<u8>, evidence: &Evidence) {
    let Evidence { transient, corrected, bits, copied, rebuilt, supplied, lost } = *evidence;
    for count in [transient, corrected, bits, copied, rebuilt, supplied, lost] {
        bytes.extend_from_slice(&count.to_le_bytes());
    }
}

/// Which of all is meant by a tag, counted from 1.
fn of_tag<T: Copy>(all: &[T], tag: u8) -> Option<T> {
    usize::from(tag).checked_sub(1).and_then(|at| all.get(at).copied())
}

fn tag_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let at = all.iter().position(|other| other == one);
    at.map_or(0, |at| at as u8 + 1)
}

impl Event {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (file, note) = (self.file.as_bytes(), self.note.as_bytes());
        let (Ok(file_len), Ok(note_len)) = (u8::try_from(file.len()), u8::try_from(note.len())) else {
            unreachable!("names and notes of events are cut to 255 bytes")
        };
        assert!(self.pages.len() <= RANGES_MAX);
        let (kind, outcome) = (tag_of(&EventKind::ALL, &self.kind), tag_of(&Outcome::ALL, &self.outcome));
        assert!(kind > 0 && outcome > 0);
        let mut bytes = vec![VERSION, kind, outcome, self.pages.len() as u8];
        let millis = u64::try_from(self.at.as_millis()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&millis.to_le_bytes());
        bytes.extend_from_slice(&self.times.to_le_bytes());
        put_evidence(&mut bytes, &self.evidence);
        bytes.extend_from_slice(&[file_len, note_len]);
        debug_assert_eq!(bytes.len(), FIXED_LEN);
        bytes.extend_from_slice(file);
        bytes.extend_from_slice(note);
        for (first, count) in &self.pages {
            bytes.extend_from_slice(&first.to_le_bytes());
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        bytes
    }

    /// None if a newer release, or something else, wrote them.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let [version, kind, outcome, ranges] = bytes.array()?;
        if version != VERSION || usize::from(ranges) > RANGES_MAX {
            return None;
        }
        let (kind, outcome) = (of_tag(&EventKind::ALL, kind)?, of_tag(&Outcome::ALL, outcome)?);
        let at = Duration::from_millis(bytes.u64()?);
        let times = bytes.array().map(u32::from_le_bytes)?;
        let evidence = bytes.evidence()?;
        let [file_len, note_len] = bytes.array()?;
        let (file, note) = (bytes.text(file_len)?, bytes.text(note_len)?);
        let mut pages = Vec::with_capacity(usize::from(ranges));
        let mut end = None;
        for _ in 0..ranges {
            let (first, count) = (bytes.u64()?, bytes.u64()?);
            if count == 0 || end.is_some_and(|end| first <= end) {
                return None;
            }
            end = Some(first.checked_add(count)?);
            pages.push((first, count));
        }
        bytes.0.is_empty().then_some(Self { at, kind, outcome, file, pages, evidence, times, note })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event() -> Event {
        let evidence =
            Evidence { transient: 1, corrected: 2, bits: 3, copied: 4, rebuilt: 5, supplied: 6, lost: 7 };
        let event = Event::new(EventKind::Scrub, Outcome::Noted).of_file("f").with_note("no");
        Event { at: Duration::from_millis(0x0102), ..event }
            .with_pages([(9, 1), (3, 2)])
            .with_evidence(evidence)
    }

    #[test]
    fn an_event_keeps_its_bytes() {
        let hex: String = event().encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = concat!(
            "01030302",
            "0201000000000000",
            "01000000",
            "0100000000000000",
            "0200000000000000",
            "0300000000000000",
            "0400000000000000",
            "0500000000000000",
            "0600000000000000",
            "0700000000000000",
            "0102",
            "66",
            "6e6f",
            "0300000000000000",
            "0200000000000000",
            "0900000000000000",
            "0100000000000000",
        );
        assert_eq!(hex, golden);
        assert_eq!(Event::decode(&event().encode()), Some(event()));
    }

    #[test]
    fn what_no_writer_writes_is_no_event() {
        let bytes = event().encode();
        for (at, byte) in [(0, 2), (1, 0), (1, 9), (2, 0), (2, 13), (3, 33), (3, 1), (72, 9), (74, 0xFF)] {
            let mut other = bytes.clone();
            other[at] = byte;
            assert_eq!(Event::decode(&other), None, "{byte} at {at}");
        }
        for len in 0..bytes.len() {
            assert_eq!(Event::decode(&bytes[..len]), None, "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event_or_none(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(first) = bytes.first_mut() {
                *first = 1;
            }
            if let Some(event) = Event::decode(&bytes) {
                prop_assert_eq!(event.encode(), bytes);
            }
        }

        #[test]
        fn every_event_comes_back(
            at in 0..1_u64 << 50,
            pages in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..60),
            (file, note) in (".{0,300}", ".{0,300}"),
        ) {
            let event = Event::new(EventKind::Read, Outcome::Lost).of_file(file).with_note(note).with_pages(pages);
            let event = Event { at: Duration::from_millis(at), ..event };
            prop_assert_eq!(Event::decode(&event.encode()), Some(event));
        }
    }
}
