//! The files of a manifest by name, and which of them a directory has.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use lsm_io::{EntryKind, Fs, IoError};

/// A generation of a manifest: a snapshot and the edits behind it. Counts from 1; none is begun twice.
///
/// ```
/// use lsm_core::Generation;
/// assert_eq!(Generation::new(7).to_string(), "7");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

/// What a name in a directory may state; no store gets there, and there is always a next one.
const GENERATION_MAX: u64 = u64::MAX >> 1;

/// One of the three files of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Snapshot,
    EditsA,
    EditsB,
}

impl Generation {
    pub(super) const FIRST: Self = Self(1);

    /// The generation of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(super) fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("no store reaches 2^64 generations"))
    }
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Snapshot, Self::EditsA, Self::EditsB];
    /// The two copies of the edits.
    pub(super) const EDITS: [Self; 2] = [Self::EditsA, Self::EditsB];

    const fn affixes(self) -> (&'static str, &'static str) {
        match self {
            Self::Snapshot => ("SNAPSHOT-", ""),
            Self::EditsA => ("MANIFEST-", "-a"),
            Self::EditsB => ("MANIFEST-", "-b"),
        }
    }

    pub(super) fn name_of(self, generation: Generation) -> String {
        let (prefix, suffix) = self.affixes();
        format!("{prefix}{:06}{suffix}", generation.0)
    }

    pub(super) fn path_in(self, dir: &Path, generation: Generation) -> PathBuf {
        dir.join(self.name_of(generation))
    }

    /// The file that bears this name; nothing if it is not one of a manifest.
    pub(super) fn parse(name: &str) -> Option<(Generation, Self)> {
        Self::ALL.into_iter().find_map(|part| {
            let (prefix, suffix) = part.affixes();
            let number = name.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok()?;
            let generation = Generation(number);
            ((1..=GENERATION_MAX).contains(&number) && part.name_of(generation) == name)
                .then_some((generation, part))
        })
    }
}

/// Whether a file in a store's directory is one of its manifest, by its name.
///
/// ```
/// assert!(lsm_core::is_manifest_file("MANIFEST-000001-a".as_ref()));
/// assert!(!lsm_core::is_manifest_file("LOCK".as_ref()));
/// ```
#[must_use]
pub fn is_manifest_file(name: &Path) -> bool {
    name.to_str().and_then(Part::parse).is_some()
}

/// The files of a manifest in a directory, by generation; none if there is no such directory.
pub(super) fn list(fs: &dyn Fs, dir: &Path) -> Result<BTreeMap<Generation, Vec<Part>>, IoError> {
    let entries = match fs.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        entries => entries?,
    };
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for entry in entries.iter().filter(|entry| entry.kind != EntryKind::Dir) {
        if let Some((generation, part)) = entry.name.to_str().and_then(Part::parse) {
            found.entry(generation).or_default().push(part);
        }
    }
    Ok(found)
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_others_are_left_alone() {
        for part in Part::ALL {
            for number in [1, 9, 999_999, 1_000_000, GENERATION_MAX] {
                let name = part.name_of(Generation(number));
                assert_eq!(Part::parse(&name), Some((Generation(number), part)), "{name}");
            }
        }
        for other in [
            "SNAPSHOT-1",
            "MANIFEST-000001",
            "SNAPSHOT-000000",
            "MANIFEST-000001-c",
            "LOCK",
            "SNAPSHOT-+00001",
        ] {
            assert_eq!(Part::parse(other), None, "{other}");
        }
    }
}
