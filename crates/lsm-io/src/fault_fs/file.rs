//! An open file of a faulty file system: what the plan does to its reads, writes and syncs.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{FaultFs, FileNo, Mishap, Reach};
use crate::{ByteLen, File, FileOffset, IoError, MediumRead, Op, Route};

#[derive(Debug)]
pub(super) struct FaultFile {
    pub(super) fs: FaultFs,
    pub(super) path: PathBuf,
    pub(super) no: FileNo,
    pub(super) inner: Arc<dyn File>,
}

impl FaultFile {
    fn error(&self, op: Op, offset: FileOffset, len: usize, kind: io::ErrorKind) -> IoError {
        IoError::at(op, &self.path, offset, ByteLen::new(len as u64), kind.into())
    }

    fn read(&self, op: Op, offset: FileOffset, buf: &mut [u8]) -> Result<MediumRead, IoError> {
        let span = Some((offset, ByteLen::of(buf)));
        let mishap = self.fs.judge(op, &self.path, span);
        if let Some(Mishap::Fail(kind) | Mishap::FailDone(kind)) = mishap {
            return Err(self.error(op, offset, buf.len(), kind));
        }
        let wanted = if mishap == Some(Mishap::ShortRead) { buf.len() / 2 } else { buf.len() };
        let (buf, reach) = (&mut buf[..wanted], if op == Op::Read { Reach::Cache } else { Reach::Medium });
        let read = match reach {
            Reach::Cache => MediumRead { len: self.inner.read_at(offset, buf)?, route: Route::Cached },
            Reach::Medium => self.inner.read_medium_at(offset, buf)?,
        };
        let overlay = &mut self.fs.state.lock().files[self.no.0];
        let shown = overlay.show(reach, offset, &mut buf[..read.len], self.inner.as_ref())?;
        shown.map_or_else(|| Err(self.error(op, offset, wanted, io::ErrorKind::Other)), |()| Ok(read))
    }

    /// Writes by the plan; `bytes` lie at `offset`, the end for an append.
    fn write(&self, op: Op, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError> {
        let mishap = self.fs.judge(op, &self.path, Some((offset, ByteLen::of(bytes))));
        let half = &bytes[..bytes.len() / 2];
        match mishap {
            Some(Mishap::Fail(kind)) => Err(self.error(op, offset, bytes.len(), kind)),
            Some(Mishap::FailDone(kind)) => {
                self.put(op, offset, bytes)?;
                Err(self.error(op, offset, bytes.len(), kind))
            }
            Some(Mishap::PartWrite(kind)) => {
                self.put(op, offset, half)?;
                Err(self.error(op, offset, bytes.len(), kind))
            }
            Some(Mishap::TornWrite) => self.put(op, offset, half),
            Some(Mishap::LostWrite) => Ok(()),
            Some(Mishap::Misdirect { by }) => self.put(op, offset + by, bytes),
            _ => self.put(op, offset, bytes),
        }
    }

    /// Writes as far as there is room.
    fn put(&self, op: Op, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError> {
        let len = self.inner.len()?;
        let end = offset + ByteLen::of(bytes);
        let growth = end.since(FileOffset::new(len.get()));
        let granted = self.fs.state.lock().plan.take_room(growth);
        let missing = growth.get() - granted.get();
        let fitting = &bytes[..bytes.len() - missing.min(bytes.len() as u64) as usize];
        self.inner.write_at(offset, fitting)?;
        self.fs.state.lock().files[self.no.0].rewritten(offset, ByteLen::of(fitting));
        if missing > 0 {
            return Err(self.error(op, offset, bytes.len(), io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl File for FaultFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<usize, IoError> {
        Ok(self.read(Op::Read, offset, buf)?.len)
    }

    fn read_medium_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<MediumRead, IoError> {
        self.read(Op::ReadMedium, offset, buf)
    }

    fn write_at(&self, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError> {
        self.write(Op::Write, offset, bytes)
    }

    fn append(&self, bytes: &[u8]) -> Result<FileOffset, IoError> {
        let end = FileOffset::new(self.inner.len()?.get());
        self.write(Op::Append, end, bytes)?;
        Ok(end)
    }

    fn sync(&self) -> Result<(), IoError> {
        let mishap = self.fs.judge(Op::Sync, &self.path, None);
        if self.fs.state.lock().forgetful.contains(&self.no) {
            return Ok(());
        }
        match mishap {
            Some(Mishap::Fail(kind)) => Err(IoError::new(Op::Sync, &self.path, kind.into())),
            Some(Mishap::FailAndForget(kind)) => {
                self.fs.state.lock().forgetful.insert(self.no);
                Err(IoError::new(Op::Sync, &self.path, kind.into()))
            }
            Some(Mishap::FailDone(kind)) => {
                self.inner.sync()?;
                Err(IoError::new(Op::Sync, &self.path, kind.into()))
            }
            Some(Mishap::LostSync) => Ok(()),
            _ => self.inner.sync(),
        }
    }

    fn len(&self) -> Result<ByteLen, IoError> {
        self.fs.whole(Op::Len, &self.path, || self.inner.len())
    }

    fn set_len(&self, len: ByteLen) -> Result<(), IoError> {
        self.fs.whole(Op::SetLen, &self.path, || {
            self.inner.set_len(len)?;
            let beyond = ByteLen::new(u64::MAX - len.get());
            self.fs.state.lock().files[self.no.0].rewritten(FileOffset::new(len.get()), beyond);
            Ok(())
        })
    }

    fn allocate(&self, len: ByteLen) -> Result<(), IoError> {
        self.fs.whole(Op::Allocate, &self.path, || {
            let growth = FileOffset::new(len.get()).since(FileOffset::new(self.inner.len()?.get()));
            let granted = self.fs.state.lock().plan.take_room(growth);
            if granted < growth {
                self.fs.state.lock().plan.give_room(granted);
                return Err(IoError::new(Op::Allocate, &self.path, io::ErrorKind::StorageFull.into()));
            }
            self.inner.allocate(len)
        })
    }
}
