//! One page out of two: at each place whichever extent proves itself.

use page_ecc::{PAGE_LEN, Page};

use crate::{
    piece::{Parsed, Piece, Salter},
    segment::Position,
};

/// A page as both extents together tell it.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The proven pieces, zeros elsewhere.
    pub(crate) bytes: Box<Page>,
    /// The pieces, with where they start in the page.
    pub(crate) pieces: Vec<(Piece, usize)>,
    /// What each extent is, compared with that.
    pub(crate) extents: [Copy; 2],
    /// Where something stands that neither extent proves.
    pub(crate) doubt: Option<usize>,
}

/// How a copy of a page compares with what both together tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copy {
    /// The same.
    Right,
    /// Right as far as it goes, then zeros: not yet written, or lost.
    Short,
    /// Wrong or unreadable.
    Wrong,
}

impl Merged {
    /// What copies of page `page` tell together.
    pub(crate) fn of(copies: [Option<&Page>; 2], salter: Salter, page: u64) -> Self {
        let mut merged = Self {
            bytes: Box::new([0; PAGE_LEN]),
            pieces: Vec::new(),
            extents: [Copy::Right; 2],
            doubt: None,
        };
        let twins = copies[0].is_some() && copies[0] == copies[1];
        let mut at = 0;
        while at < PAGE_LEN {
            let position = Position(page * PAGE_LEN as u64 + at as u64);
            let parse =
                |copy: Option<&Page>| copy.map_or(Parsed::Bad, |copy| Piece::parse(copy, salter, position));
            let a = parse(copies[0]);
            let b = if twins { a } else { parse(copies[1]) };
            let (piece, from) = match (a, b) {
                (Parsed::Piece(piece), _) => (piece, copies[0]),
                (_, Parsed::Piece(piece)) => (piece, copies[1]),
                (Parsed::Blank, Parsed::Blank) => break,
                _ => {
                    merged.doubt = Some(at);
                    break;
                }
            };
            let end = at + piece.size();
            if let Some(from) = from {
                merged.bytes[at..end].copy_from_slice(&from[at..end]);
            }
            merged.pieces.push((piece, at));
            at = end;
        }
        merged.extents = copies.map(|copy| merged.compare(copy));
        merged
    }

    fn compare(&self, copy: Option<&Page>) -> Copy {
        let Some(copy) = copy else { return Copy::Wrong };
        if *copy == *self.bytes {
            return Copy::Right;
        }
        if self.is_cut(copy) { Copy::Short } else { Copy::Wrong }
    }

    /// Whether `copy` has the first pieces and zeros behind them.
    fn is_cut(&self, copy: &Page) -> bool {
        let starts = self.pieces.iter().map(|(_, at)| *at);
        starts
            .into_iter()
            .any(|at| copy[..at] == self.bytes[..at] && copy[at..].iter().all(|&byte| byte == 0))
    }

    /// Whether the medium should be asked before this is believed.
    pub(crate) fn is_suspicious(&self) -> bool {
        let [a, b] = self.extents;
        // A page that only extent A has is what an unsynced write looks like.
        self.doubt.is_some() || a != Copy::Right || b == Copy::Wrong
    }
}
