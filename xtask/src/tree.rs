//! The files of this repository: what git tracks or would track, by path from the root.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::tool::Tool;

/// A sorted list of paths; all use `/` and none starts with it.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    paths: BTreeSet<String>,
}

impl Tree {
    /// Asks git, so that ignored files never count. A file deleted but not yet committed is left out.
    pub(crate) fn list(root: &Path) -> Result<Self, Failure> {
        let listing = Tool::new("git").words("ls-files -z --cached --others --exclude-standard").dir(root);
        let paths = listing.stdout()?;
        let paths = paths.split('\0').filter(|path| !path.is_empty() && root.join(path).is_file());
        Ok(Self { root: root.to_owned(), paths: paths.map(str::to_owned).collect() })
    }

    #[cfg(test)]
    pub(crate) fn of(paths: &[&str]) -> Self {
        Self { root: PathBuf::new(), paths: paths.iter().map(|path| (*path).to_owned()).collect() }
    }

    /// All paths, in order.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// Whether a file has this path, or lies below it.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let below = format!("{path}/");
        path.is_empty()
            || self.paths.contains(path)
            || self.paths.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
    }

    /// The file's text, or `None` when it is not text.
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>, Failure> {
        let bytes = fs::read(self.root.join(path)).map_err(|cause| Failure::io(path, cause))?;
        Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_when_something_lies_in_it() {
        let tree = Tree::of(&["docs/a.md", "docs-old/b.md"]);
        for (path, held) in
            [("docs", true), ("docs/a.md", true), ("doc", false), ("docs/b.md", false), ("", true)]
        {
            assert_eq!(tree.holds(path), held, "{path}");
        }
    }
}
