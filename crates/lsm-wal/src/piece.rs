//! A piece: a frame, or as much of one as a page has room for.
//!
//! A group of changes is one *frame*. A frame is cut where a page ends, so each page proves itself alone and
//! is taken from whichever extent is good. A piece never crosses a page; where fewer than 64 bytes of a page
//! are left, or after a sync, the next one starts on the next page. Zeros follow the last piece of a page.
//!
//! | at | len | field     | meaning                                                              |
//! |---:|----:|-----------|----------------------------------------------------------------------|
//! |  0 |   4 | xxh       | low half of XXH3-64 of everything behind it, seeded with the salt    |
//! |  4 |   4 | crc       | CRC-32C of everything behind it, XOR the low half of the salt        |
//! |  8 |   2 | len       | bytes of payload in this piece                                       |
//! | 10 |   1 | kind      | low 4 bits, of the frame: 1 changes, 2 void, 3 mark, 4 lost          |
//! |    |     |           | bit 4: carried over, written before the segment's header             |
//! |    |     |           | bit 5: a part; else the piece is the whole frame                     |
//! | 11 |  .. | first     | number, below: the frame's first sequence number; of a mark, the next |
//! | .. |  .. | count     | number: sequence numbers of the frame                                |
//! | .. |  .. | pending   | number: `first + count` less the watermark                           |
//! | .. |   4 | frame_len | only of a part: bytes of payload in the frame                        |
//! | .. |   4 | at        | only of a part: how many of them stand before this piece             |
//! | .. | len | payload   |                                                                      |
//!
//! A *number* is LEB128: seven bits to a byte, the low ones first, the high bit set on all but the last. Every
//! change below the *watermark* was durable when the piece was written.
//!
//! A *void* frame has the numbers of changes whose writing failed, a *lost* frame those of changes that an
//! earlier recovery did not find; a *mark* has none and only states its watermark.
//!
//! The salt binds a piece to its segment and place. At byte `p` of an extent it is the SplitMix64 finalizer
//! of `key + (p + 1) * 0x9E3779B97F4A7C15`, where `key` is XXH3-64 of the segment's uid. Both extents hold
//! the same bytes, so `p` counts from the start of the extent.

use page_ecc::{PAGE_LEN, Uid, varint};
use twox_hash::XxHash3_64;

use crate::{SeqNo, segment::Position};

const DIGESTS_LEN: usize = 8;
/// Bytes before the numbers.
const FIXED_LEN: usize = DIGESTS_LEN + 3;
/// What a part has more than a whole frame.
const PART_LEN: usize = 8;

/// Where less than this is left of a page, no piece starts.
pub(crate) const ROOM_MIN: usize = 64;

const KIND_BITS: u8 = 0x0F;
const CARRIED: u8 = 0x10;
const PART: u8 = 0x20;

const _: () =
    assert!(FIXED_LEN + 3 * varint::LEN_MAX + PART_LEN < ROOM_MIN, "each piece has room for some payload");

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

/// How much of its frame a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of it.
    Whole,
    /// A part.
    Part,
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
        out.extend_from_slice(&[0; DIGESTS_LEN]);
        out.extend_from_slice(&self.len.to_le_bytes());
        let origin = match self.origin {
            Origin::Appended => 0,
            Origin::Carried => CARRIED,
        };
        let share = match self.share() {
            Share::Whole => 0,
            Share::Part => PART,
        };
        out.push(self.kind.encode() | origin | share);
        for number in [self.first.get(), self.count.into(), pending(self.next(), self.watermark)] {
            varint::put(out, number);
        }
        if self.share() == Share::Part {
            out.extend_from_slice(&self.frame_len.to_le_bytes());
            out.extend_from_slice(&self.at.to_le_bytes());
        }
        out.extend_from_slice(payload);
        let salt = salter.salt(position);
        let crc = crc_of(&out[start..], salt);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
        let xxh = xxh_of(&out[start..], salt);
        out[start..start + 4].copy_from_slice(&xxh.to_le_bytes());
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
        let len = u16::from_le_bytes(*rest[DIGESTS_LEN..].first_chunk()?);
        let tag = rest[DIGESTS_LEN + 2];
        let mut behind = FIXED_LEN;
        let first = SeqNo::new(varint::take(rest, &mut behind)?);
        let count = u32::try_from(varint::take(rest, &mut behind)?).ok()?;
        let pending = varint::take(rest, &mut behind)?;
        let word = |at: usize| Some(u32::from_le_bytes(*rest.get(at..)?.first_chunk()?));
        let (frame_len, at) =
            if tag & PART == 0 { (len.into(), 0) } else { (word(behind)?, word(behind + 4)?) };
        let piece = Self {
            kind: Kind::decode(tag & KIND_BITS)?,
            origin: if tag & CARRIED == 0 { Origin::Appended } else { Origin::Carried },
            len,
            frame_len,
            at,
            count,
            first,
            watermark: SeqNo::new(first.get().checked_add(count.into())?.checked_sub(pending)?),
        };
        let (bytes, salt) = (rest.get(..piece.size())?, salter.salt(position));
        let crc = u32::from_le_bytes(*bytes[4..].first_chunk()?);
        let xxh = u32::from_le_bytes(*bytes.first_chunk()?);
        let proven = crc == crc_of(bytes, salt) && xxh == xxh_of(bytes, salt);
        (proven && piece.is_sane(tag)).then_some(piece)
    }

    /// Whether a proven piece says something this version can mean.
    fn is_sane(&self, tag: u8) -> bool {
        let end = u64::from(self.at) + u64::from(self.len);
        let counted = match self.kind {
            Kind::Changes => self.count > 0,
            Kind::Void | Kind::Lost => self.count > 0 && self.frame_len == 0,
            Kind::Mark => self.count == 0 && self.frame_len == 0,
        };
        let advances = self.len > 0 || self.frame_len == 0;
        let share = if tag & PART == 0 { Share::Whole } else { Share::Part };
        let known = tag & !(KIND_BITS | CARRIED | PART) == 0 && share == self.share();
        counted && advances && known && end <= u64::from(self.frame_len)
    }

    const fn share(&self) -> Share {
        if self.len as u32 == self.frame_len { Share::Whole } else { Share::Part }
    }

    /// Bytes before its payload.
    const fn head_len(&self) -> usize {
        head_len(self.first, self.next(), self.watermark, self.share())
    }

    /// The bytes it takes.
    pub(crate) const fn size(&self) -> usize {
        self.head_len() + self.len as usize
    }

    /// The first number behind its frame.
    pub(crate) const fn next(&self) -> SeqNo {
        self.first.plus(self.count as u64)
    }
}

/// The bytes before the payload of a piece that is so much of the frame of the numbers from `first` to `next`.
pub(crate) const fn head_len(first: SeqNo, next: SeqNo, watermark: SeqNo, share: Share) -> usize {
    let count = next.get().saturating_sub(first.get());
    let numbers = varint::len(first.get()) + varint::len(count) + varint::len(pending(next, watermark));
    match share {
        Share::Whole => FIXED_LEN + numbers,
        Share::Part => FIXED_LEN + numbers + PART_LEN,
    }
}

/// How many numbers before `next` were not durable yet.
const fn pending(next: SeqNo, watermark: SeqNo) -> u64 {
    next.get().saturating_sub(watermark.get())
}

fn crc_of(piece: &[u8], salt: u64) -> u32 {
    crc32c::crc32c(&piece[DIGESTS_LEN..]) ^ salt as u32
}

fn xxh_of(piece: &[u8], salt: u64) -> u32 {
    XxHash3_64::oneshot_with_seed(salt, &piece[4..]) as u32
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
            watermark: SeqNo::new(0x0123_4567_0000_0000),
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
                "9d5f031a",
                "f7767da7",
                "0300",
                "31",
                "ef9bafcdf8acd19101",
                "88ef99ab05",
                "f78ac9f80d",
                "04030201",
                "33221100",
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
        for bit in 0..8 * piece(200).size() {
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
