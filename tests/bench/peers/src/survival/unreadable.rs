//! A page that cannot be read, without a device that has one: a library that is loaded in front of the system's, built
//! by the system's C compiler when it is wanted. No engine compared here maps its files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::harm::Hurt;

const SOURCE: &str = include_str!("unreadable.c");

/// The library.
pub struct Unreadable(PathBuf);

impl Unreadable {
    /// Builds it; an error where there is no C compiler.
    pub fn build(dir: &Path) -> io::Result<Self> {
        let (source, library) = (dir.join("unreadable.c"), dir.join("unreadable.so"));
        fs::write(&source, SOURCE)?;
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
        match cc.status()?.success() {
            true => Ok(Self(library)),
            false => Err(io::Error::other("cc does not build unreadable.c")),
        }
    }

    /// For damage to a store.
    pub fn loaded<'a>(&'a self, hurt: &'a Hurt, store: &Path) -> Loaded<'a> {
        Loaded { library: &self.0, hurt, met: store.with_extension("met") }
    }
}

/// The library with the damage it shows.
pub struct Loaded<'a> {
    library: &'a Path,
    hurt: &'a Hurt,
    met: PathBuf,
}

impl Loaded<'_> {
    /// Has what a command starts meet the damage.
    pub fn put_before(&self, command: &mut Command) {
        // What is not there need not go.
        let _ = fs::remove_file(&self.met);
        let range = &self.hurt.range;
        command.env("LD_PRELOAD", self.library).env("UNREADABLE_MET", &self.met);
        command.env("UNREADABLE", format!("{}:{}:{}", range.start, range.end, self.hurt.path.display()));
    }

    /// Whether anybody wanted to read what cannot be read.
    pub fn was_met(&self) -> bool {
        self.met.exists()
    }
}
