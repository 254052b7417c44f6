//! What a patrol remembers over restarts, and where its owner keeps it.
//!
//! The key of a record:
//!
//! | at | len | field   | meaning                                                                     |
//! |---:|----:|---------|-----------------------------------------------------------------------------|
//! |  0 |   1 | what    | 0 the pass, and then nothing but zeros follows; 1 to 5 a file of that kind  |
//! |  1 |   4 | tree    | whose file it is                                                            |
//! |  5 |   8 | file    | its number                                                                  |

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;

use crate::{
    FileRef, IoFault, RecordError,
    note::{self, Note},
    pass::{self, Pass, PassState},
};

/// Keeps records over restarts, such as in a keyspace of its own. They need not be durable at once: what is lost
/// is examined again.
///
/// ```
/// use lsm_scrub::{Memory, MemoryKey, RamMemory};
/// let memory = RamMemory::default();
/// memory.store(MemoryKey::Pass, b"record").expect("nothing refuses");
/// assert_eq!(memory.load().expect("nothing refuses"), [b"record"]);
/// memory.forget(MemoryKey::Pass).expect("nothing refuses");
/// assert!(memory.load().expect("nothing refuses").is_empty());
/// ```
pub trait Memory: Sync {
    /// Every record, in any order. Damaged or foreign ones do no harm.
    ///
    /// # Errors
    /// If they cannot be read; the patrol then begins anew.
    fn load(&self) -> Result<Vec<Vec<u8>>, IoFault>;

    /// Keeps a record in the place of the one that this key had.
    ///
    /// # Errors
    /// If it could not; the patrol goes on.
    fn store(&self, key: MemoryKey, record: &[u8]) -> Result<(), IoFault>;

    /// Lets the record of this key go, if there is one.
    ///
    /// # Errors
    /// If it could not; the patrol goes on.
    fn forget(&self, key: MemoryKey) -> Result<(), IoFault>;
}

/// What a record is about.
///
/// ```
/// use lsm_core::{FileId, TreeId};
/// use lsm_scrub::{FileKind, FileRef, MemoryKey};
/// assert_eq!(MemoryKey::Pass.to_bytes(), [0; 13]);
/// let file = FileRef { tree: TreeId::new(2), kind: FileKind::Log, file: FileId::new(7) };
/// assert_eq!(MemoryKey::File(file).to_bytes(), [3, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemoryKey {
    /// The pass.
    Pass,
    /// A file.
    File(FileRef),
}

impl MemoryKey {
    /// Bytes by which a store can keep the record.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 13] {
        let mut bytes = [0; 13];
        if let Self::File(of) = self {
            bytes[0] = of.kind.tag();
            bytes[1..5].copy_from_slice(&of.tree.get().to_le_bytes());
            bytes[5..].copy_from_slice(&of.file.get().to_le_bytes());
        }
        bytes
    }
}

/// Records kept in memory: for tests, and for patrols that need not outlive the process.
///
/// ```
/// assert!(lsm_scrub::Remembered::load(&lsm_scrub::RamMemory::default()).faults().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct RamMemory {
    /// Guards the records; a leaf.
    records: Mutex<BTreeMap<MemoryKey, Vec<u8>>>,
}

impl Memory for RamMemory {
    fn load(&self) -> Result<Vec<Vec<u8>>, IoFault> {
        Ok(self.records.lock().values().cloned().collect())
    }

    fn store(&self, key: MemoryKey, record: &[u8]) -> Result<(), IoFault> {
        self.records.lock().insert(key, record.to_vec());
        Ok(())
    }

    fn forget(&self, key: MemoryKey) -> Result<(), IoFault> {
        self.records.lock().remove(&key);
        Ok(())
    }
}

/// Remembers nothing: each patrol begins anew.
///
/// ```
/// use lsm_scrub::{Memory, MemoryKey, NoMemory};
/// NoMemory.store(MemoryKey::Pass, b"record").expect("nothing refuses");
/// assert!(NoMemory.load().expect("nothing refuses").is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl Memory for NoMemory {
    fn load(&self) -> Result<Vec<Vec<u8>>, IoFault> {
        Ok(Vec::new())
    }

    fn store(&self, _key: MemoryKey, _record: &[u8]) -> Result<(), IoFault> {
        Ok(())
    }

    fn forget(&self, _key: MemoryKey) -> Result<(), IoFault> {
        Ok(())
    }
}

/// What the records say.
///
/// ```
/// use lsm_core::{FileId, TreeId};
/// use lsm_scrub::{FileKind, FileRef, RamMemory, Remembered};
/// let remembered = Remembered::load(&RamMemory::default());
/// assert!(!remembered.is_under_way());
/// let file = FileRef { tree: TreeId::new(2), kind: FileKind::Table, file: FileId::new(7) };
/// assert_eq!(remembered.last_clean(file), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    pub(crate) pass: Option<Pass>,
    pub(crate) notes: BTreeMap<FileRef, Note>,
    faults: Vec<MemoryFault>,
}

/// Why something that should be remembered is not.
///
/// ```
/// use lsm_scrub::{MemoryFault, RecordError};
/// assert!(MemoryFault::Record(RecordError::Checksum).to_string().contains("examined anew"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum MemoryFault {
    /// The owner could not give or keep records.
    #[error("a patrol's memory refuses, so what it has done may be examined again: {0}")]
    Refused(#[source] IoFault),
    /// A record says nothing.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Remembered {
    /// Reads everything; what cannot be read counts as not remembered, and is named in [`faults`](Self::faults).
    #[must_use]
    pub fn load(memory: &dyn Memory) -> Self {
        let mut remembered = Self::default();
        match memory.load() {
            Ok(records) => records.iter().for_each(|record| remembered.add(record)),
            Err(fault) => remembered.faults.push(MemoryFault::Refused(fault)),
        }
        remembered
    }

    /// What could not be read.
    #[must_use]
    pub fn faults(&self) -> &[MemoryFault] {
        &self.faults
    }

    /// Whether a pass was begun and did not come to its end.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.pass.is_some_and(|pass| pass.state == PassState::UnderWay)
    }

    /// When a pass last came through the file and found nothing wrong.
    #[must_use]
    pub fn last_clean(&self, file: FileRef) -> Option<Duration> {
        self.notes.get(&file).and_then(|note| note.clean)
    }

    /// When a pass last came through the file, whatever it found.
    #[must_use]
    pub fn last_examined(&self, file: FileRef) -> Option<Duration> {
        self.notes.get(&file).and_then(|note| note.examined)
    }

    /// The number of a pass that begins now: higher than any that is remembered, and than any that was forgotten.
    pub(crate) fn next_number(&self, now: Duration) -> u64 {
        let known = self.pass.iter().map(|pass| pass.number).chain(self.notes.values().map(|note| note.pass));
        let next = known.max().unwrap_or(0).checked_add(1);
        next.map_or(note::millis(now), |next| next.max(note::millis(now)))
    }

    fn add(&mut self, record: &[u8]) {
        let added = match record.first_chunk() {
            Some(&pass::MAGIC) => Pass::decode(record).map(|pass| self.pass = Some(pass)),
            Some(&note::MAGIC) => Note::decode(record).map(|note| {
                self.notes.insert(note.of, note);
            }),
            _ => Err(RecordError::Foreign { len: record.len() }),
        };
        if let Err(error) = added {
            self.faults.push(error.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pass_is_higher_than_all_that_are_known_and_all_that_were_forgotten() {
        let now = Duration::from_millis(1000);
        let mut remembered = Remembered::default();
        assert_eq!(remembered.next_number(now), 1000);
        for (known, next) in [(5, 1000), (1000, 1001), (u64::MAX, 1000)] {
            remembered.pass = Some(Pass::begin(known, &[]));
            assert_eq!(remembered.next_number(now), next);
        }
    }
}
