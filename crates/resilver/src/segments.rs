//! Segments of the log looked at on the medium, whether the store is open or not.

use std::{collections::BTreeMap, io::ErrorKind, path::Path, sync::Arc};

use lsm_io::{Access, Fs};
use lsm_wal::{Flaw, Patch, SegmentRecord, SeqNo, Whereabouts};
use page_ecc::{PAGE_LEN, Uid};

use crate::{Error, PageState};

/// Where segments are, and whose they are.
pub(crate) struct Shelf<'a> {
    pub(crate) fs: &'a Arc<dyn Fs>,
    pub(crate) dir: &'a Path,
    pub(crate) store: Uid,
}

/// What a look at a segment came to.
#[derive(Debug, Default)]
pub(crate) struct SegmentSeen {
    /// Pages of the file that hold changes.
    pub(crate) pages: u64,
    /// What puts wrong pages right.
    pub(crate) patches: Vec<Patch>,
    /// Pages that neither extent has.
    pub(crate) lost: Vec<u64>,
    /// Pages that the file is too short to have.
    pub(crate) missing: Vec<u64>,
    /// Pages behind the end that hold something, each as a page of its extent and of the file: of the segment in use,
    /// which should be left for another before it comes to them.
    pub(crate) ahead: Vec<(u64, u64)>,
}

impl Shelf<'_> {
    /// Looks at a segment, whose changes below `durable` were; none if there is no such file. What was not when a
    /// process was killed is in one extent alone, and nothing is wrong with that.
    pub(crate) fn examine(
        &self,
        segment: &SegmentRecord,
        durable: SeqNo,
    ) -> Result<Option<SegmentSeen>, Error> {
        let at = Whereabouts::new(self.fs.clone(), self.dir, self.store);
        let file = match self.fs.open(&segment.path(self.dir), Access::ReadOnly) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let there = file.len()?.get() / PAGE_LEN as u64;
        let all = segment.file_len() / PAGE_LEN as u64;
        let mut seen = SegmentSeen { missing: (there..all).collect(), ..SegmentSeen::default() };
        let examined = lsm_wal::examine(&at, *segment, durable, |flaw| match flaw {
            Flaw::Mendable(patch) => seen.patches.push(patch),
            Flaw::Lost { page } => seen.lost.push(page),
            Flaw::Ahead { page, offset, .. } => seen.ahead.push((page, offset.get() / PAGE_LEN as u64)),
        })?;
        seen.pages = examined.unwrap_or(0) * 2;
        Ok(Some(seen))
    }
}

impl SegmentSeen {
    /// The pages of the file that are wrong.
    pub(crate) fn bad(&self) -> BTreeMap<u64, PageState> {
        let mended = self.patches.iter().map(|patch| patch.offset.get() / PAGE_LEN as u64);
        let healable = mended.chain(self.missing.iter().copied());
        let mut bad: BTreeMap<_, _> = healable.map(|page| (page, PageState::Correctable)).collect();
        bad.extend(self.lost.iter().map(|&page| (page, PageState::Lost)));
        bad
    }
}
