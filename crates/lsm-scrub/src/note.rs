//! The note of a file: how far a patrol has come in it, and when it last came through.
//!
//! | at | len | field    | meaning                                                                      |
//! |---:|----:|----------|------------------------------------------------------------------------------|
//! |  0 |   4 | magic    | `RNOT`                                                                       |
//! |  4 |   2 | version  | 1                                                                            |
//! |  6 |   1 | kind     | of file: 1 table, 2 blob file, 3 log segment, 4 manifest, 5 snapshot         |
//! |  7 |   1 | state    | of the pass below: 0 under way, 1 done                                       |
//! |  8 |   4 | tree     | whose file it is                                                             |
//! | 12 |   8 | file     | its number                                                                   |
//! | 20 |   8 | pass     | the pass that examined it last                                               |
//! | 28 |   8 | page     | the first page which that pass has not examined                              |
//! | 36 |   8 | wrong    | pages which that pass found wrong on the medium; all that are lost included  |
//! | 44 |   8 | lost     | pages which that pass found lost; 1 if the file did not open                 |
//! | 52 |   8 | examined | milliseconds at which a pass last came through; all ones if none did         |
//! | 60 |   8 | clean    | milliseconds at which one last found nothing wrong; all ones if none did     |
//! | 68 |   4 | checksum | CRC-32C of bytes 0..68                                                       |

use std::time::Duration;

use crate::{
    FileRef, RecordError,
    record::{Reader, Writer},
};

pub(crate) const MAGIC: [u8; 4] = *b"RNOT";
const LEN: usize = 72;
const NEVER: u64 = u64::MAX;

/// What is remembered of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) of: FileRef,
    pub(crate) state: NoteState,
    pub(crate) pass: u64,
    pub(crate) page: u64,
    pub(crate) wrong: u64,
    pub(crate) lost: u64,
    pub(crate) examined: Option<Duration>,
    pub(crate) clean: Option<Duration>,
}

/// Whether the pass has come through the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteState {
    UnderWay,
    Done,
}

impl Note {
    /// Of a file at which a pass has not begun; when it was last examined is kept from an older one.
    pub(crate) fn begin(of: FileRef, pass: u64, older: Option<&Self>) -> Self {
        let examined = older.and_then(|note| note.examined);
        let clean = older.and_then(|note| note.clean);
        Self { of, state: NoteState::UnderWay, pass, page: 0, wrong: 0, lost: 0, examined, clean }
    }

    /// The pass came through now.
    pub(crate) fn finish(&mut self, now: Duration) {
        self.state = NoteState::Done;
        self.examined = Some(now);
        if self.wrong == 0 {
            self.clean = Some(now);
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let state = match self.state {
            NoteState::UnderWay => 0,
            NoteState::Done => 1,
        };
        let bytes = Writer::new(MAGIC, [self.of.kind.tag(), state])
            .u32(self.of.tree.get())
            .u64(self.of.file.get())
            .u64(self.pass)
            .u64(self.page)
            .u64(self.wrong)
            .u64(self.lost)
            .u64(self.examined.map_or(NEVER, millis))
            .u64(self.clean.map_or(NEVER, millis))
            .finish();
        assert_eq!(bytes.len(), LEN);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::prove(MAGIC, LEN, bytes)?;
        let [tag, state] = reader.pair;
        let state = match state {
            0 => NoteState::UnderWay,
            1 => NoteState::Done,
            _ => return Err(RecordError::Field { field: "state" }),
        };
        let of = reader.file(tag)?;
        let (pass, page) = (reader.u64("pass")?, reader.u64("page")?);
        let (wrong, lost) = (reader.u64("wrong")?, reader.u64("lost")?);
        let (examined, clean) = (moment(reader.u64("examined")?), moment(reader.u64("clean")?));
        if lost > wrong {
            return Err(RecordError::Field { field: "lost" });
        }
        Ok(Self { of, state, pass, page, wrong, lost, examined, clean })
    }
}

/// Milliseconds; what does not fit is the last moment that does.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(NEVER - 1)
}

fn moment(millis: u64) -> Option<Duration> {
    (millis != NEVER).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileKind;
    use lsm_core::{FileId, TreeId};
    use proptest::prelude::*;

    fn note() -> Note {
        let of = FileRef { tree: TreeId::new(2), kind: FileKind::Log, file: FileId::new(7) };
        let clean = Some(Duration::from_millis(0x0102));
        Note { of, state: NoteState::Done, pass: 9, page: 4, wrong: 3, lost: 1, examined: None, clean }
    }

    #[test]
    fn a_note_keeps_its_bytes() {
        let hex: String = note().encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = concat!(
            "524e4f540100",
            "0301",
            "02000000",
            "0700000000000000",
            "0900000000000000",
            "0400000000000000",
            "0300000000000000",
            "0100000000000000",
            "ffffffffffffffff",
            "0201000000000000",
        );
        assert_eq!(hex[..136], *golden);
        assert_eq!(hex[136..], *"83672e15");
        assert_eq!(Note::decode(&note().encode()), Ok(note()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = note().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Note::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn fields_that_no_writer_gives_are_named() {
        let sealed = |kind, state, lost| {
            let head = Writer::new(MAGIC, [kind, state]).u32(0).u64(0).u64(0).u64(0);
            Note::decode(&head.u64(0).u64(lost).u64(0).u64(0).finish())
        };
        assert!(sealed(1, 0, 0).is_ok());
        for (kind, state, lost, field) in
            [(0, 0, 0, "kind"), (6, 0, 0, "kind"), (1, 2, 0, "state"), (1, 0, 1, "lost")]
        {
            assert_eq!(sealed(kind, state, lost), Err(RecordError::Field { field }));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_note_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(note) = Note::decode(&bytes) {
                prop_assert_eq!(note.encode(), bytes);
            }
        }
    }
}
