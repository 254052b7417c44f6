//! The pass: one walk over everything, from its first file to its last, however often it is interrupted.
//!
//! | at | len | field    | meaning                                                                   |
//! |---:|----:|----------|---------------------------------------------------------------------------|
//! |  0 |   4 | magic    | `RPAS`                                                                    |
//! |  4 |   2 | version  | 1                                                                         |
//! |  6 |   1 | state    | 0 under way, 1 finished                                                   |
//! |  7 |   1 | zero     | 0                                                                         |
//! |  8 |   8 | number   | each pass has a higher one                                                |
//! | 16 |  40 | ends     | for each kind of file, 8 bytes: files numbered from here on came later    |
//! | 56 |   4 | checksum | CRC-32C of bytes 0..56                                                    |

use crate::{
    FileKind, FileRef, PatrolFile, RecordError,
    record::{Reader, Writer},
};

pub(crate) const MAGIC: [u8; 4] = *b"RPAS";
const LEN: usize = 60;

/// Which pass it is and what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) number: u64,
    pub(crate) state: PassState,
    /// By kind, in the order of [`FileKind::ALL`].
    ends: [u64; FileKind::ALL.len()],
}

/// Whether it has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassState {
    UnderWay,
    Finished,
}

impl Pass {
    /// One that begins with these files.
    pub(crate) fn begin(number: u64, files: &[PatrolFile]) -> Self {
        let end = |kind| {
            let numbers = files.iter().filter(|file| file.of.kind == kind).map(|file| file.of.file.get());
            numbers.max().map_or(0, |newest| newest.saturating_add(1))
        };
        Self { number, state: PassState::UnderWay, ends: FileKind::ALL.map(end) }
    }

    /// Whether the file was there when the pass began; one that came later was written and verified since, and
    /// belongs to the next pass. So a pass ends, however fast files come.
    pub(crate) fn holds(&self, file: FileRef) -> bool {
        let ends = FileKind::ALL.into_iter().zip(self.ends);
        ends.into_iter().any(|(kind, end)| kind == file.kind && file.file.get() < end)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let state = match self.state {
            PassState::UnderWay => 0,
            PassState::Finished => 1,
        };
        let head = Writer::new(MAGIC, [state, 0]).u64(self.number);
        let bytes = self.ends.into_iter().fold(head, Writer::u64).finish();
        assert_eq!(bytes.len(), LEN);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::prove(MAGIC, LEN, bytes)?;
        let state = match reader.pair {
            [0, 0] => PassState::UnderWay,
            [1, 0] => PassState::Finished,
            _ => return Err(RecordError::Field { field: "state" }),
        };
        let number = reader.u64("number")?;
        let mut ends = [0; FileKind::ALL.len()];
        for end in &mut ends {
            *end = reader.u64("ends")?;
        }
        Ok(Self { number, state, ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsm_core::{FileId, TreeId};

    fn file(kind: FileKind, number: u64) -> PatrolFile {
        PatrolFile::new(FileRef { tree: TreeId::STORE, kind, file: FileId::new(number) }, 1)
    }

    fn pass() -> Pass {
        Pass::begin(9, &[file(FileKind::Table, 3), file(FileKind::Table, 2), file(FileKind::Snapshot, 0x11)])
    }

    #[test]
    fn a_pass_keeps_its_bytes() {
        let hex: String = pass().encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = concat!(
            "525041530100",
            "0000",
            "0900000000000000",
            "0400000000000000",
            "0000000000000000",
            "0000000000000000",
            "0000000000000000",
            "1200000000000000",
        );
        assert_eq!(hex[..112], *golden);
        assert_eq!(hex[112..], *"cbdd11d4");
        let finished = Pass { state: PassState::Finished, ..pass() };
        for pass in [pass(), finished] {
            assert_eq!(Pass::decode(&pass.encode()), Ok(pass));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = pass().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Pass::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn files_that_came_later_belong_to_the_next_pass() {
        let holds = |kind, number| pass().holds(file(kind, number).of);
        assert!(holds(FileKind::Table, 0) && holds(FileKind::Table, 3) && holds(FileKind::Snapshot, 0x11));
        assert!(!holds(FileKind::Table, 4) && !holds(FileKind::Blob, 0) && !holds(FileKind::Snapshot, 0x12));
    }
}
