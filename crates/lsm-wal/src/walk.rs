//! Frames of one segment in order, put together from their pieces.
//!
//! **Invariant**: a frame is given whole or not at all; memory is bounded by the longest frame whose pieces
//! prove themselves.

use page_ecc::PAGE_LEN;

use crate::{
    Extent, SeqNo, Seqs,
    merge::{Copy, Merged},
    piece::{Kind, Origin, Piece},
    segment::Position,
    source::{Pages, Source},
};

/// A whole frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) seqs: Seqs,
    /// Empty in a survey.
    pub(crate) payload: Vec<u8>,
    pub(crate) end: Position,
}

/// What comes next in a segment.
#[derive(Debug)]
pub(crate) enum Step {
    /// A frame.
    Frame(Frame),
    /// A page is done.
    Page(PageNote),
}

/// What a page was like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageNote {
    pub(crate) page: u64,
    pub(crate) extents: [Copy; 2],
    /// Wrong in memory, right on the medium.
    pub(crate) transient: bool,
    /// Whether neither copy can be read.
    pub(crate) unreadable: bool,
    /// Whether anything but zeros stands there.
    pub(crate) content: Content,
    /// The highest watermark stated.
    pub(crate) watermark: SeqNo,
    /// The first number behind every frame that has a piece here.
    pub(crate) next: SeqNo,
    /// Whether a piece was appended behind a durable header.
    pub(crate) appended: bool,
}

/// What stands in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing.
    Blank,
    /// Pieces, and zeros behind them.
    Pieces,
    /// Something that does not prove itself.
    Doubtful,
}

/// What a walk is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose<'a> {
    /// To learn what is there, of both extents; payloads are passed over.
    Survey,
    /// To have it, from both extents.
    Collect,
    /// To have it once more: where the survey had nothing to note, extent A is enough if it proves itself again.
    CollectKnown(&'a [PageNote]),
}

/// Goes through a segment.
#[derive(Debug)]
pub(crate) struct Walker<'a> {
    source: &'a Source,
    purpose: Purpose<'a>,
    pages: Pages<'a>,
    page: u64,
    /// The page before which to stop.
    until: u64,
    current: Option<(Merged, PageNote, usize)>,
    partial: Option<Partial>,
}

/// A frame of which not all pieces were seen yet.
#[derive(Debug)]
struct Partial {
    head: Piece,
    /// Bytes of its payload so far, whether kept or passed over.
    len: usize,
    payload: Vec<u8>,
}

impl PageNote {
    fn new(page: u64, merged: &Merged) -> Self {
        let content = match (&merged.doubt, &merged.pieces[..]) {
            (Some(_), _) => Content::Doubtful,
            (None, []) => Content::Blank,
            (None, _) => Content::Pieces,
        };
        let pieces = || merged.pieces.iter().map(|(piece, _)| piece);
        Self {
            page,
            extents: merged.extents,
            transient: false,
            unreadable: false,
            content,
            watermark: pieces().map(|piece| piece.watermark).max().unwrap_or_default(),
            next: pieces().map(Piece::next).max().unwrap_or_default(),
            appended: pieces().any(|piece| piece.origin == Origin::Appended),
        }
    }
}

impl<'a> Walker<'a> {
    /// Goes through the frames that start before `until`.
    pub(crate) fn new(source: &'a Source, until: Position, purpose: Purpose<'a>) -> Self {
        let until = until.round_up().page().min(source.record.extent_pages);
        let pages = Pages::of(source);
        Self { source, purpose, pages, page: Position::FRAMES.page(), until, current: None, partial: None }
    }

    /// The page as extent A has it, where that is known to be all.
    fn load_known(&mut self) -> Option<Merged> {
        let Purpose::CollectKnown(notes) = self.purpose else { return None };
        let page = self.page;
        if notes.binary_search_by_key(&page, |note| note.page).is_ok() {
            return None;
        }
        let copy = self.pages.read_first(page);
        let merged = Merged::of([copy; 2], self.source.salter, page);
        let is_whole = merged.doubt.is_none() && !merged.pieces.is_empty();
        is_whole.then_some(merged)
    }

    fn load(&mut self) -> (Merged, PageNote) {
        let (page, salter) = (self.page, self.source.salter);
        if let Some(merged) = self.load_known() {
            let note = PageNote::new(page, &merged);
            return (merged, note);
        }
        let copies = self.pages.read(page);
        let mut unreadable = copies == [None; 2];
        let mut merged = Merged::of(copies, salter, page);
        let mut transient = false;
        if merged.is_suspicious() {
            let fresh = Extent::BOTH.map(|extent| self.source.reread_page(extent, page));
            let again = Merged::of(fresh.each_ref().map(|copy| copy.as_deref()), salter, page);
            transient = !again.is_suspicious();
            unreadable = fresh == [None, None];
            merged = again;
        }
        let note = PageNote { transient, unreadable, ..PageNote::new(page, &merged) };
        (merged, note)
    }

    fn take(&mut self, piece: Piece, payload: &[u8], end: Position) -> Option<Frame> {
        if piece.at == 0 {
            self.partial = Some(Partial { head: piece, len: 0, payload: Vec::new() });
        }
        let partial = self.partial.as_mut()?;
        if !partial.continues_with(&piece) {
            self.partial = None;
            return None;
        }
        partial.len += payload.len();
        if !matches!(self.purpose, Purpose::Survey) {
            partial.payload.extend_from_slice(payload);
        }
        if partial.len < partial.head.frame_len as usize {
            return None;
        }
        let Partial { head, payload, .. } = self.partial.take()?;
        Some(Frame { kind: head.kind, seqs: Seqs::new(head.first, head.next()), payload, end })
    }
}

impl Iterator for Walker<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            if self.current.is_none() {
                if self.page >= self.until {
                    return None;
                }
                let (merged, note) = self.load();
                self.current = Some((merged, note, 0));
                self.page += 1;
            }
            let (merged, note, index) = self.current.take()?;
            let Some(&(piece, at)) = merged.pieces.get(index) else { return Some(Step::Page(note)) };
            let end = Position(note.page * PAGE_LEN as u64 + (at + piece.size()) as u64);
            let payload = &merged.bytes[at + piece.size() - usize::from(piece.len)..at + piece.size()];
            let frame = self.take(piece, payload, end);
            self.current = Some((merged, note, index + 1));
            if let Some(frame) = frame {
                return Some(Step::Frame(frame));
            }
        }
    }
}

impl Partial {
    fn continues_with(&self, piece: &Piece) -> bool {
        let head = &self.head;
        let same = (piece.kind, piece.first, piece.count, piece.frame_len)
            == (head.kind, head.first, head.count, head.frame_len);
        same && piece.at as usize == self.len
    }
}
