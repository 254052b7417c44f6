//! What the files of a store are called.
//!
//! Invariant: a name says which file it is, and nothing but its number tells one table from another.

use std::path::{Path, PathBuf};

use crate::FileId;

/// What the name of a table ends in, dot excluded.
const TABLE: &str = "table";

/// The name of a table's file.
///
/// ```
/// use lsm_core::{FileId, table_name};
/// assert_eq!(table_name(FileId::new(7)), "000007.table");
/// ```
#[must_use]
pub fn table_name(table: FileId) -> String {
    format!("{:06}.{TABLE}", table.get())
}

/// Where a table stands.
pub(crate) fn table_path(dir: &Path, table: FileId) -> PathBuf {
    dir.join(table_name(table))
}

/// Which table a name in the store's directory is; `None` if it is none's, or no name that `table_path`
/// gives.
///
/// ```
/// use lsm_core::{FileId, parse_table};
/// assert_eq!(parse_table("000007.table".as_ref()), Some(FileId::new(7)));
/// assert_eq!(parse_table("LOCK".as_ref()), None);
/// ```
#[must_use]
pub fn parse_table(name: &Path) -> Option<FileId> {
    let number = name.file_stem()?.to_str()?.parse().ok().filter(|number| *number < u64::MAX)?;
    let table = FileId::new(number);
    (table_path(Path::new(""), table) == name).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_its_name() {
        for number in [1, 999_999, 1_000_000, u64::MAX - 1] {
            let path = table_path(Path::new("/store"), FileId::new(number));
            assert_eq!(parse_table(Path::new(path.file_name().unwrap())), Some(FileId::new(number)));
        }
        for other in ["1.table", "+00001.table", "000001.tmp", "LOCK", "000001.table.tmp", ".table"] {
            assert_eq!(parse_table(Path::new(other)), None, "{other}");
        }
    }
}
