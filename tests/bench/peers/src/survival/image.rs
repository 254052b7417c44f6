//! A store as it was when its process was killed, kept in memory, to be laid down again and again.

use std::{
    fs, io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::harm::files_below;

/// What is all zero stays a hole.
const CHUNK: usize = 64 << 10;

pub struct Image(Vec<(PathBuf, Vec<u8>)>);

impl Image {
    pub fn of(store: &Path) -> io::Result<Self> {
        let all = files_below(store)?.into_iter().map(|path| {
            let below = path.strip_prefix(store).map_err(io::Error::other)?.to_path_buf();
            Ok((below, fs::read(path)?))
        });
        Ok(Self(all.collect::<io::Result<_>>()?))
    }

    /// Makes a directory what the store was.
    pub fn lay(&self, dir: &Path) -> io::Result<()> {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        for (below, bytes) in &self.0 {
            let path = dir.join(below);
            fs::create_dir_all(path.parent().unwrap_or(dir))?;
            let file = fs::File::create(path)?;
            file.set_len(bytes.len() as u64)?;
            for (at, chunk) in bytes.chunks(CHUNK).enumerate() {
                if chunk.iter().any(|&byte| byte != 0) {
                    file.write_all_at(chunk, (at * CHUNK) as u64)?;
                }
            }
        }
        Ok(())
    }
}
