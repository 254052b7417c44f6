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

    /// Has what a command starts meet the damage.
    pub fn load(&self, command: &mut Command, hurt: &Hurt) {
        let told = format!("{}:{}:{}", hurt.range.start, hurt.range.end, hurt.path.display());
        command.env("LD_PRELOAD", &self.0).env("UNREADABLE", told);
    }
}
