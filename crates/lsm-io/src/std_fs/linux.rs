//! What Linux offers beyond std: direct reads, cache advice, shared blocks, reserved space.
//!
//! **Invariant**: an answer marked [`Route::Direct`] never came through the page cache.

use std::{fs, io, num::NonZeroU64, os::unix::fs::FileExt, sync::OnceLock};

use rustix::{
    fd::AsRawFd,
    fs::{Advice, FallocateFlags, Mode, OFlags},
    io::Errno,
};

use crate::{MediumRead, Route, aligned::AlignedBuf};

/// Direct reads go through a buffer of at most this size.
const BOUNCE_LEN: usize = 1 << 20;

/// The cache-bypassing ways to one open file, each opened at its first use.
///
/// They are file descriptions of their own: the kernel tells each description once that writing back
/// failed, and a reader must not swallow what the writer's sync has to hear.
#[derive(Debug, Default)]
pub(super) struct Medium {
    /// `None` once opened means the file system refuses direct reads.
    direct: OnceLock<Option<fs::File>>,
    /// `None` once opened means that there is no way to open a file a second time.
    plain: OnceLock<Option<fs::File>>,
}

impl Medium {
    pub(super) fn read_at(&self, file: &fs::File, offset: u64, buf: &mut [u8]) -> io::Result<MediumRead> {
        if let Some(direct) = self.direct.get_or_init(|| open_again(file, OFlags::DIRECT)) {
            match read_direct(direct, offset, buf) {
                Ok(len) => return Ok(MediumRead { len, route: Route::Direct }),
                // Some file systems open with the flag and refuse at the first read.
                Err(cause) if cause.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {}
                Err(cause) => return Err(cause),
            }
        }
        if let Some(plain) = self.plain.get_or_init(|| open_again(file, OFlags::empty())) {
            return read_dropped(plain, offset, buf);
        }
        let len = super::read_fully(file, offset, buf)?;
        Ok(MediumRead { len, route: Route::Cached })
    }
}

/// Opens the same file again (not its path: that may be gone or another's by now).
fn open_again(file: &fs::File, flags: OFlags) -> Option<fs::File> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | flags;
    rustix::fs::open(own, flags, Mode::empty()).ok().map(fs::File::from)
}

/// Dirty pages do not go, so they are written first; a file opened for reading syncs as well.
fn read_dropped(file: &fs::File, offset: u64, buf: &mut [u8]) -> io::Result<MediumRead> {
    file.sync_data()?;
    rustix::fs::fadvise(file, offset, NonZeroU64::new(buf.len() as u64), Advice::DontNeed)?;
    let len = super::read_fully(file, offset, buf)?;
    Ok(MediumRead { len, route: Route::Dropped })
}

fn read_direct(direct: &fs::File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    const ALIGN: u64 = AlignedBuf::ALIGN as u64;
    let end = offset + buf.len() as u64;
    let mut bounce = AlignedBuf::new((buf.len() + AlignedBuf::ALIGN).min(BOUNCE_LEN));
    let mut done = 0;
    let mut at = offset - offset % ALIGN;
    while at < end {
        let want = (end - at).next_multiple_of(ALIGN).min(bounce.as_mut().len() as u64) as usize;
        let read = read_retrying(direct, &mut bounce.as_mut()[..want], at)?;
        let skip = (offset + done as u64 - at) as usize;
        let Some(fresh) = bounce.as_mut()[..read].get(skip..).filter(|fresh| !fresh.is_empty()) else {
            break;
        };
        let taken = fresh.len().min(buf.len() - done);
        buf[done..done + taken].copy_from_slice(&fresh[..taken]);
        done += taken;
        if read < want {
            break;
        }
        at += want as u64;
    }
    Ok(done)
}

fn read_retrying(file: &fs::File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buf, offset) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether `target` now shares the blocks of `source`.
pub(super) fn share_blocks(source: &fs::File, target: &fs::File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

pub(super) fn allocate(file: &fs::File, len: u64) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) if file.metadata()?.len() < len => file.set_len(len),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_the_medium_bring_the_same_bytes() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..10_000_u32).map(|at| (at % 251) as u8).collect();
        io::Write::write_all(&mut file, &bytes).unwrap();
        let plain = open_again(&file, OFlags::empty()).unwrap();
        for (offset, len) in [(0, 10_000), (1, 1), (4095, 3), (9_999, 10), (20_000, 5)] {
            let (mut direct, mut dropped) = (vec![0; len], vec![0; len]);
            let read = read_dropped(&plain, offset, &mut dropped).unwrap();
            assert_eq!(read.route, Route::Dropped);
            let through_medium = Medium::default().read_at(&file, offset, &mut direct).unwrap();
            assert_eq!((read.len, dropped), (through_medium.len, direct));
        }
    }
}
