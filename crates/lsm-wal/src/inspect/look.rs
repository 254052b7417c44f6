//! What a walk through a segment adds up to.
//!
//! **Invariant**: memory grows with the pages that are wrong, not with the groups.

use page_ecc::{PageNo, PageRanges};

use super::{Held, Inspected, PAGE, StatedHeader};
use crate::{
    Extent, SegmentRecord, SeqNo,
    merge::Copy,
    piece::Kind,
    segment::Position,
    source::HeaderFound,
    walk::{Content, Frame, PageNote},
};

/// A segment being told.
pub(super) struct Look {
    record: SegmentRecord,
    len: u64,
    held: Held,
    /// Wrong pages, by extent; the other extent has them.
    mendable: [Vec<u64>; 2],
    /// Pages that extent B lacks, and the number behind the last one in them.
    short: Vec<(u64, SeqNo)>,
    /// Pages that neither extent has.
    lost: Vec<u64>,
    /// Pages with nothing that counts: lost if something follows.
    open: PageRanges,
    /// Those of them that are not blank.
    unproven: u64,
}

impl Look {
    pub(super) fn new(record: SegmentRecord, len: u64) -> Self {
        Self {
            record,
            len,
            held: Held { used: PAGE, ..Held::default() },
            mendable: [Vec::new(), Vec::new()],
            short: Vec::new(),
            lost: Vec::new(),
            open: PageRanges::default(),
            unproven: 0,
        }
    }

    pub(super) fn add_header(&mut self, found: &HeaderFound) {
        match found.page {
            Some(_) => found.lacking.iter().for_each(|&extent| self.mendable[extent as usize].push(0)),
            None => self.lost.push(0),
        }
    }

    pub(super) fn add_frame(&mut self, frame: &Frame) {
        let held = &mut self.held;
        held.used = held.used.max(frame.end.0);
        match frame.kind {
            Kind::Changes => held.groups += 1,
            Kind::Void | Kind::Lost => held.void += 1,
            Kind::Mark => return,
        }
        held.numbers = Some(match held.numbers {
            None => (frame.seqs.first, frame.seqs.next),
            Some((first, next)) => {
                held.gaps += u64::from(frame.seqs.first > next);
                (first, next.max(frame.seqs.next))
            }
        });
    }

    pub(super) fn add_page(&mut self, note: PageNote) {
        self.held.watermark = self.held.watermark.max(note.watermark);
        // Behind the last piece of a page the one extent's zeros do not prove themselves against the other's bytes.
        let has_pieces = note.content == Content::Pieces || note.next > SeqNo::default();
        if !has_pieces {
            self.open.push(PageNo::new(note.page));
            let is_there = (self.record.extent_pages + note.page + 1) * PAGE <= self.len;
            self.unproven += u64::from(note.content == Content::Doubtful && is_there);
            return;
        }
        let open = std::mem::take(&mut self.open);
        self.lost.extend(open.iter().flat_map(|run| run.start.get()..run.end.get()));
        self.unproven = 0;
        for (extent, copy) in Extent::BOTH.into_iter().zip(note.extents) {
            match (copy, extent) {
                (Copy::Right, _) => {}
                // What was not synced may stand in extent A alone.
                (Copy::Short, Extent::B) => self.short.push((note.page, note.next)),
                (Copy::Short | Copy::Wrong, _) => self.mendable[extent as usize].push(note.page),
            }
        }
    }

    pub(super) fn finish(mut self, header: Option<StatedHeader>) -> Inspected {
        let mut not_yet_twice = 0;
        for (page, next) in std::mem::take(&mut self.short) {
            match next <= self.held.watermark {
                true => self.mendable[Extent::B as usize].push(page),
                false => not_yet_twice += 1,
            }
        }
        self.mendable.iter_mut().for_each(|pages| pages.sort_unstable());
        let first_of = |extent| self.record.offset(extent, Position(0)) / PAGE;
        let of_file = |extent: Extent, pages: &[u64]| {
            pages.iter().map(|page| first_of(extent) + page).collect::<Vec<_>>()
        };
        let mendable = Extent::BOTH.map(|extent| of_file(extent, &self.mendable[extent as usize]));
        let lost = Extent::BOTH.map(|extent| of_file(extent, &self.lost));
        Inspected {
            record: self.record,
            len: self.len,
            header,
            held: self.held,
            mendable: mendable.into_iter().flatten().map(PageNo::new).collect(),
            lost: lost.into_iter().flatten().map(PageNo::new).collect(),
            not_yet_twice,
            unproven: self.unproven,
            cut_off: self.record.file_len().saturating_sub(self.len).div_ceil(PAGE),
        }
    }
}
