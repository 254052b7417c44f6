//! What one segment holds, told by reading all of it.

use lsm_io::IoError;

use crate::{
    Extent, Finding, SegmentRecord, SeqNo, Seqs, Whereabouts,
    header::{Found, Header},
    merge::Copy,
    piece::Kind,
    segment::Position,
    source::{HeaderFound, Source},
    walk::{Content, Frame, PageNote, Purpose, Step, Walker},
};

/// What one segment holds.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) source: Source,
    pub(crate) header: Option<Header>,
    /// Frames whose numbers follow each other, in order.
    pub(crate) runs: Vec<Run>,
    /// What an earlier recovery did not find.
    pub(crate) lost: Vec<Seqs>,
    /// The highest watermark stated anywhere.
    pub(crate) watermark: SeqNo,
    /// Whether a frame was appended behind the header, which was durable then.
    pub(crate) appended: bool,
    /// Of the pages that were not alike and right in both extents, in order.
    pub(crate) notes: Vec<PageNote>,
    len: u64,
    lacking_headers: Vec<Extent>,
}

/// Frames whose numbers follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) seqs: Seqs,
    pub(crate) end: Position,
}

/// What stands where a segment should be.
#[derive(Debug)]
pub(crate) enum Surveyed {
    /// A segment, used or not.
    There(Box<Survey>),
    /// No file.
    Missing,
    /// One that a newer version of this crate wrote.
    Newer,
}

impl Survey {
    pub(crate) fn of(at: &Whereabouts, record: SegmentRecord) -> Result<Surveyed, IoError> {
        let Some(source) = Source::open(at.fs.as_ref(), &at.dir, record)? else {
            return Ok(Surveyed::Missing);
        };
        let len = source.len()?;
        let HeaderFound { found, lacking: lacking_headers, .. } = source.header();
        let header = match found {
            Found::Header(header) if header.record == record && header.store == at.store => Some(header),
            Found::Newer => return Ok(Surveyed::Newer),
            Found::Header(_) | Found::Blank | Found::Bad => None,
        };
        let mut survey = Self {
            header,
            runs: Vec::new(),
            lost: Vec::new(),
            watermark: SeqNo::default(),
            appended: false,
            notes: Vec::new(),
            len,
            lacking_headers,
            source,
        };
        survey.read();
        Ok(Surveyed::There(Box::new(survey)))
    }

    fn read(&mut self) {
        let (mut runs, mut notes) = (Vec::new(), Vec::new());
        for step in Walker::new(&self.source, Position(self.source.record.extent_len()), Purpose::Survey) {
            match step {
                Step::Frame(frame) => {
                    extend(&mut runs, &frame);
                    if frame.kind == Kind::Lost {
                        self.lost.push(frame.seqs);
                    }
                }
                Step::Page(note) => {
                    self.watermark = self.watermark.max(note.watermark);
                    self.appended |= note.appended;
                    let plain = note.extents == [Copy::Right; 2] && note.content != Content::Doubtful;
                    if !plain || note.transient {
                        notes.push(note);
                    }
                }
            }
        }
        (self.runs, self.notes) = (runs, notes);
    }

    /// Whether it was ever put to use.
    pub(crate) fn is_used(&self) -> bool {
        self.header.is_some() || self.appended
    }

    /// The first number it can speak for.
    pub(crate) fn first(&self) -> Option<SeqNo> {
        let header = self.header.map(|header| header.first);
        header.or_else(|| self.runs.first().map(|run| run.seqs.first))
    }

    /// Every change below this number was durable in it or before it.
    pub(crate) fn proven(&self) -> SeqNo {
        self.watermark.max(self.header.map(|header| header.carried).unwrap_or_default())
    }

    /// Whether it cannot be told where it ends: the page that would say so is gone from both extents.
    pub(crate) fn is_cut(&self) -> bool {
        let record = self.source.record;
        if !self.is_used() {
            return self.len < record.file_len();
        }
        let end = self.runs.last().map_or(Position::FRAMES, |run| run.end).round_up();
        // Pages behind the last frame that hold more of one that is not whole.
        let page = self.content_after(end.page());
        self.notes.iter().any(|note| note.page == page && note.unreadable)
    }

    /// The first page from `page` on that has no piece.
    fn content_after(&self, page: u64) -> u64 {
        let holds =
            |page: u64| self.notes.iter().any(|note| note.page == page && note.content == Content::Pieces);
        (page..self.source.record.extent_pages).find(|&page| !holds(page)).unwrap_or(page)
    }

    /// The first of the pages at the end that hold something and no piece that counts.
    pub(crate) fn last_doubt(&self) -> Option<u64> {
        let end = self.runs.last().map(|run| run.end).unwrap_or_default();
        let behind = |note: &&PageNote| note.content == Content::Doubtful && (note.page + 1) * 4096 > end.0;
        self.notes.iter().find(behind).map(|note| note.page)
    }

    /// What was not right, where changes below `proven` stand.
    pub(crate) fn findings(&self, proven: SeqNo) -> Vec<Finding> {
        let segment = self.source.record.number;
        let mut findings = Vec::new();
        let expected = self.source.record.file_len();
        if self.len != expected {
            findings.push(Finding::WrongLength { segment, len: self.len, expected });
        }
        match self.header {
            Some(_) => {
                let mended = |&extent: &Extent| Finding::Mended { segment, extent, page: 0 };
                findings.extend(self.lacking_headers.iter().map(mended));
            }
            None => findings.push(Finding::HeaderLost { segment }),
        }
        for note in &self.notes {
            let page = note.page;
            if note.transient {
                findings.push(Finding::Transient { segment, page });
            }
            let known = note.content == Content::Pieces;
            for (extent, copy) in Extent::BOTH.into_iter().zip(note.extents) {
                let wrong = copy == Copy::Wrong || (copy == Copy::Short && note.next <= proven);
                if wrong && known {
                    findings.push(Finding::Mended { segment, extent, page });
                }
            }
        }
        findings
    }
}

/// Adds a frame to the runs. One whose numbers lie before what is known tells nothing new.
fn extend(runs: &mut Vec<Run>, frame: &Frame) {
    match runs.last_mut() {
        Some(run) if frame.seqs.first == run.seqs.next => {
            (run.seqs.next, run.end) = (frame.seqs.next, frame.end);
        }
        Some(run) if frame.seqs.first < run.seqs.next => {}
        _ => runs.push(Run { seqs: frame.seqs, end: frame.end }),
    }
}
