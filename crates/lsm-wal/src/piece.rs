//! A piece: a frame, or as much of one as a page has room for.
//!
//! A group of changes is one *frame*. A frame is cut where a page ends, so each page proves itself alone and
//! is taken from whichever extent is good. A piece never crosses a page; where fewer than 64 bytes of a page
//! are left, or after a sync, the next one starts on the next page. Zeros follow the last piece of a page.
//!
//! | at | len | field     | meaning                                                              |
//! |---:|----:|-----------|----------------------------------------------------------------------|
//! |  0 |   8 | xxh       | XXH3-64 of everything behind it, seeded with the salt                |
//! |  8 |   4 | crc       | CRC-32C of everything behind it, XOR the low half of the salt        |
//! | 12 |   2 | len       | bytes of payload in this piece                                       |
//! | 14 |   1 | kind      | of frame: 1 changes, 2 void, 3 mark, 4 lost; see below               |
//! | 15 |   1 | flags     | bit 0: carried over, written before the segment's header             |
//! | 16 |   4 | key       | epoch of the encryption key; 0                                       |
//! | 20 |   4 | frame_len | bytes of payload in the frame                                        |
//! | 24 |   4 | at        | how many of them stand before this piece                             |
//! | 28 |   4 | count     | sequence numbers of the frame                                        |
//! | 32 |   8 | first     | the first of them; of a mark, the next one                           |
//! | 40 |   8 | watermark | every change below this number was durable when this was written     |
//! | 48 | len | payload   |                                                                      |
//!
//! A *void* frame has the numbers of changes whose writing failed, a *lost* frame those of changes that an
//! earlier recovery did not find; a *mark* has none and only states its watermark.
//!
//! The salt binds a piece to its segment and place. At byte `p` of an extent it is the SplitMix64 finalizer
//! of `key + (p + 1) * 0x9E3779B97F4A7C15`, where `key` is XXH3-64 of the segment's uid. Both extents hold
//! the same bytes, so `p` counts from the start of the extent.

use page_ecc::{PAGE_LEN, Uid};
use twox_hash::XxHash3_64;

use crate::{SeqNo, segment::Position};

/// Bytes before the payload.
pub(crate) const HEAD_LEN: usize = 48;

/// Where less than this is left of a page, no piece starts.
pub(crate) const ROOM_MIN: usize = 64;

const CARRIED: u8 = 1;
/// A page that was never written, compared in one go.
static BLANK: [u8; PAGE_LEN] = [0; PAGE_LEN];

/// What a piece says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
    pub(crate) len: u16,
    pub(crate) frame_len: u32,
    pub(crate) at: u32,
    pub(crate) count: u32,
    pub(crate) first: SeqNo,
    pub(crate) watermark: SeqNo,
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Changes.
    Changes,
    /// Numbers that were given out and belong to no change, because its writing failed.
    Void,
    /// Nothing but a watermark.
    Mark,
    /// Numbers of changes that were durable once and that an earlier recovery did not find.
    Lost,
}

/// When a piece was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Behind a durable header.
    Appended,
    /// Before the header, from an earlier segment.
    Carried,
}

/// What stands at a place of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A piece that proves itself.
    Piece(Piece),
    /// Zeros to the end of the page, or no room for a piece.
    Blank,
    /// Anything else.
    Bad,
}

/// Gives every place of one segment its salt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Salter(u64);

impl Salter {
    pub(crate) fn new(uid: Uid) -> Self {
        Self(XxHash3_64::oneshot(&uid.to_bytes()))
    }

    fn salt(self, position: Position) -> u64 {
        let mut z = self.0.wrapping_add(position.0.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Kind {
    const fn encode(self) -> u8 {
        match self {
            Self::Changes => 1,
            Self::Void => 2,
            Self::Mark => 3,
            Self::Lost => 4,
        }
    }

    const fn decode(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Changes),
            2 => Some(Self::Void),
            3 => Some(Self::Mark),
            4 => Some(Self::Lost),
            _ => None,
        }
    }
}

impl Piece {
    /// Appends the piece that stands at `position`.
    pub(crate) fn encode(&self, payload: &[u8], salter: Salter, position: Position, out: &mut Vec<u8>) {
        debug_assert_eq!(payload.len(), usize::from(self.len));
        let start = out.len();
        out.extend_from_slice(&[0; 12]);
        out.extend_from_slice(&self.len.to_le_bytes());
        let flags = match self.origin {
            Origin::Appended => 0,
            Origin::Carried => CARRIED,
        };
        out.extend_from_slice(&[self.kind.encode(), flags]);
        for word in [0, self.frame_len, self.at, self.count] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        for word in [self.first, self.watermark] {
            out.extend_from_slice(&word.get().to_le_bytes());
        }
        out.extend_from_slice(payload);
        let salt = salter.salt(position);
        let crc = crc32c::crc32c(&out[start + 12..]) ^ salt as u32;
        out[start + 8..start + 12].copy_from_slice(&crc.to_le_bytes());
        let xxh = XxHash3_64::oneshot_with_seed(salt, &out[start + 8..]);
        out[start..start + 8].copy_from_slice(&xxh.to_le_bytes());
    }

    /// What stands at `position`; `page` is the page it lies in.
    pub(crate) fn parse(page: &[u8; PAGE_LEN], salter: Salter, position: Position) -> Parsed {
        let rest = &page[position.in_page()..];
        let is_blank = |rest: &[u8]| *rest == BLANK[..rest.len()];
        if rest.len() < ROOM_MIN {
            return if is_blank(rest) { Parsed::Blank } else { Parsed::Bad };
        }
        if let Some(piece) = Self::prove(rest, salter, position) {
            return Parsed::Piece(piece);
        }
        if is_blank(rest) { Parsed::Blank } else { Parsed::Bad }
    }

    fn prove(rest: &[u8], salter: Salter, position: Position) -> Option<Self> {
        let len = u16::from_le_bytes(*rest[12..].first_chunk()?);
        let kind = Kind::decode(rest[14])?;
        let bytes = rest.get(..HEAD_LEN + usize::from(len))?;
        let salt = salter.salt(position);
        let crc = u32::from_le_bytes(*bytes[8..].first_chunk()?);
        let xxh = u64::from_le_bytes(*bytes.first_chunk()?);
        let proven = crc == crc32c::crc32c(&bytes[12..]) ^ salt as u32
            && xxh == XxHash3_64::oneshot_with_seed(salt, &bytes[8..]);
        if !proven {
            return None;
        }
        let word = |at: usize| Some(u32::from_le_bytes(*bytes[at..].first_chunk()?));
        let long = |at: usize| Some(u64::from_le_bytes(*bytes[at..].first_chunk()?));
        let origin = if bytes[15] & CARRIED == 0 { Origin::Appended } else { Origin::Carried };
        let piece = Self {
            kind,
            origin,
            len,
            frame_len: word(20)?,
            at: word(24)?,
            count: word(28)?,
            first: SeqNo::new(long(32)?),
            watermark: SeqNo::new(long(40)?),
        };
        piece.is_sane(bytes[15], word(16)?).then_some(piece)
    }

    /// Whether a proven piece says something this version can mean.
    fn is_sane(&self, flags: u8, key: u32) -> bool {
        let end = u64::from(self.at) + u64::from(self.len);
        let counted = match self.kind {
            Kind::Changes => self.count > 0,
            Kind::Void | Kind::Lost => self.count > 0 && self.frame_len == 0,
            Kind::Mark => self.count == 0 && self.frame_len == 0,
        };
        let advances = self.len > 0 || self.frame_len == 0;
        counted && advances && flags & !CARRIED == 0 && key == 0 && end <= u64::from(self.frame_len)
    }

    /// The bytes it takes.
    pub(crate) const fn size(&self) -> usize {
        HEAD_LEN + self.len as usize
    }

    /// The first number behind its frame.
    pub(crate) const fn next(&self) -> SeqNo {
        self.first.plus(self.count as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(len: u16) -> Piece {
        Piece {
            kind: Kind::Changes,
            origin: Origin::Carried,
            len,
            frame_len: 0x0102_0304,
            at: 0x0011_2233,
            count: 0x5566_7788,
            first: SeqNo::new(0x0123_4567_89AB_CDEF),
            watermark: SeqNo::new(0x1122_3344_5566_7788),
        }
    }

    fn page_with(piece: &Piece, payload: &[u8], position: Position) -> [u8; PAGE_LEN] {
        let mut bytes = vec![0; position.in_page()];
        piece.encode(payload, Salter::new(Uid::new([7; 16])), position, &mut bytes);
        bytes.resize(PAGE_LEN, 0);
        *bytes.first_chunk().unwrap()
    }

    #[test]
    fn a_piece_keeps_its_bytes() {
        let mut bytes = Vec::new();
        piece(3).encode(b"abc", Salter::new(Uid::new([7; 16])), Position(4096), &mut bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            concat!(
                "5755163451bf009f",
                "5620b167",
                "03000101",
                "00000000",
                "04030201",
                "33221100",
                "88776655",
                "efcdab8967452301",
                "8877665544332211",
                "616263",
            )
        );
    }

    #[test]
    fn a_piece_proves_itself_only_where_it_was_written_and_only_in_its_segment() {
        let (uid, here) = (Uid::new([7; 16]), Position(4096 + 100));
        let page = page_with(&piece(3), b"abc", here);
        assert_eq!(Piece::parse(&page, Salter::new(uid), here), Parsed::Piece(piece(3)));
        assert_eq!(Piece::parse(&page, Salter::new(uid), Position(8192 + 100)), Parsed::Bad);
        assert_eq!(Piece::parse(&page, Salter::new(Uid::new([8; 16])), here), Parsed::Bad);
        assert_eq!(Piece::parse(&page, Salter::new(uid), Position(4096 + 151)), Parsed::Blank);
    }

    #[test]
    fn every_flipped_bit_of_a_piece_shows() {
        let (salter, here) = (Salter::new(Uid::new([7; 16])), Position(4096));
        let page = page_with(&piece(200), &[9; 200], here);
        for bit in 0..8 * (HEAD_LEN + 200) {
            let mut page = page;
            page[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Piece::parse(&page, salter, here), Parsed::Bad, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_piece_or_not(bytes in prop::collection::vec(any::<u8>(), 256), at in 0usize..PAGE_LEN) {
            let mut page = [0; PAGE_LEN];
            page[..256].copy_from_slice(&bytes);
            Piece::parse(&page, Salter::new(Uid::new([7; 16])), Position(4096 + at as u64));
        }
    }
}
