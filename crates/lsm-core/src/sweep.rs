//! Which tables in a directory nobody needs: the outputs of jobs that failed or were cut short, and what a
//! removal left behind.
//!
//! A plan, no effect. Its three inputs must be taken in this order, or a table that was just finished looks
//! like nobody's: the listing, then what is held, then what the catalog names. *Held* is what a running job
//! makes, what an older version still reads, and what waits to be removed.
//!
//! Invariant: a file whose name is not a table's is never touched. While anything of the store is damaged, a
//! table that nobody names may be what the damage made nameless: it is set aside, not removed.

use std::path::{Path, PathBuf};

use lsm_io::{DirEntry, EntryKind};

use crate::{FileId, names::parse_table};

/// Whether the store can be believed about what it names.
///
/// ```
/// assert_ne!(lsm_core::Soundness::Sound, lsm_core::Soundness::Damaged);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// Every byte of its manifest was read as it was written.
    Sound,
    /// Something was lost, or mended by guessing less than all of it.
    Damaged,
}

/// What to do with the tables that nobody needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// To remove.
    pub(crate) remove: Vec<PathBuf>,
    /// To rename, from and to.
    pub(crate) set_aside: Vec<(PathBuf, PathBuf)>,
    /// No table of this number or a higher one was listed: numbers from here on are free for certain, whether
    /// or not the removals succeed.
    pub(crate) first_free: FileId,
}

/// Plans a sweep of the tables in `dir`.
pub(crate) fn plan_sweep(
    dir: &Path,
    listing: &[DirEntry],
    is_held: impl Fn(FileId) -> bool,
    is_named: impl Fn(FileId) -> bool,
    soundness: Soundness,
) -> Sweep {
    let mut sweep = Sweep { remove: Vec::new(), set_aside: Vec::new(), first_free: FileId::new(1) };
    for entry in listing.iter().filter(|entry| entry.kind == EntryKind::File) {
        let Some(id) = parse_table(&entry.name) else { continue };
        sweep.first_free = sweep.first_free.max(id.next());
        if is_held(id) || is_named(id) {
            continue;
        }
        let path = dir.join(&entry.name);
        match soundness {
            Soundness::Sound => sweep.remove.push(path),
            Soundness::Damaged => {
                let aside = path.with_extension("table.aside");
                sweep.set_aside.push((path, aside));
            }
        }
    }
    sweep
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 8] = [
        "000001.table",
        "000002.table",
        "000003.table",
        "000003.table.aside",
        "01.table",
        "1000000.table",
        "18446744073709551615.table",
        "LOCK",
    ];

    #[track_caller]
    fn check(soundness: Soundness, remove: &[&str], set_aside: &[(&str, &str)]) {
        let entry = |name: &&str| DirEntry { name: name.into(), kind: EntryKind::File };
        let mut listing: Vec<_> = NAMES.iter().map(entry).collect();
        listing.push(DirEntry { name: "000009.table".into(), kind: EntryKind::Dir });
        let at = |name: &&str| Path::new("/s").join(name);
        let sweep = plan_sweep("/s".as_ref(), &listing, |id| id.get() == 1, |id| id.get() == 2, soundness);
        assert_eq!(sweep.remove, remove.iter().map(at).collect::<Vec<_>>());
        let pairs: Vec<_> = set_aside.iter().map(|(from, to)| (at(from), at(to))).collect();
        assert_eq!((sweep.set_aside, sweep.first_free), (pairs, FileId::new(1_000_001)));
    }

    #[test]
    fn tables_that_nobody_holds_or_names_go() {
        check(Soundness::Sound, &["000003.table", "1000000.table"], &[]);
    }

    #[test]
    fn in_a_damaged_store_they_are_set_aside() {
        let pairs = [("000003.table", "000003.table.aside"), ("1000000.table", "1000000.table.aside")];
        check(Soundness::Damaged, &[], &pairs);
    }
}
