//! The header of a segment: whose it is, and where it takes up the history.
//!
//! Page 0 of either extent holds eight copies of one record, one in each sector. It is written when the
//! segment is put to use, after everything it speaks of is durable, and synced before anything is appended
//! behind it.
//!
//! | at  | len | field        | meaning                                                              |
//! |----:|----:|--------------|----------------------------------------------------------------------|
//! |   0 |   8 | magic        | `RSLVWLOG`                                                           |
//! |   8 |   2 | version      | 1                                                                    |
//! |  10 |   2 | extents      | 2                                                                    |
//! |  12 |   4 | page_len     | 4096                                                                 |
//! |  16 |   8 | incompatible | feature bits; one that a reader does not know refuses                |
//! |  24 |   8 | compatible   | feature bits; a reader keeps those it does not know                  |
//! |  32 |  16 | store        | uid of the store                                                     |
//! |  48 |  16 | uid          | of the segment                                                       |
//! |  64 |   8 | number       | of the segment                                                       |
//! |  72 |   8 | extent_pages | pages of one extent                                                  |
//! |  80 |   8 | generation   | each segment that is put to use has a higher one                     |
//! |  88 |   8 | first        | the first sequence number in this segment                            |
//! |  96 |   8 | carried      | numbers below this were carried over, and durable before the header  |
//! | 104 |   8 | pred_number  | the segment before it in the history; 0 if there is none             |
//! | 112 |  16 | pred_uid     | its uid                                                              |
//! | 128 |   8 | pred_end     | byte of its extent behind which nothing of it counts                 |
//! | 136 |   4 | key          | epoch of the encryption key; 0                                       |
//! | 140 | 356 | fields       | zeros                                                                |
//! | 496 |  16 | checksum     | XXH3-128 of bytes 0..496                                             |

use page_ecc::{PAGE_LEN, Page, Uid};
use twox_hash::XxHash3_128;

use crate::{SegmentNo, SegmentRecord, SeqNo, segment::Position};

const RECORD_LEN: usize = 512;
const CHECKED_LEN: usize = 496;
const MAGIC: &[u8; 8] = b"RSLVWLOG";
const VERSION: u16 = 1;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) store: Uid,
    pub(crate) record: SegmentRecord,
    pub(crate) generation: u64,
    pub(crate) first: SeqNo,
    pub(crate) carried: SeqNo,
    pub(crate) predecessor: Option<Predecessor>,
}

/// The segment before, and how much of it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Predecessor {
    pub(crate) number: SegmentNo,
    pub(crate) uid: Uid,
    pub(crate) end: Position,
}

/// What a page holds where a header should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A header.
    Header(Header),
    /// One that needs a newer version of this crate.
    Newer,
    /// Zeros.
    Blank,
    /// Anything else.
    Bad,
}

impl Header {
    /// The page that says so.
    pub(crate) fn to_page(self) -> Box<Page> {
        let record = self.encode();
        let mut page = Box::new([0; PAGE_LEN]);
        for copy in page.chunks_exact_mut(RECORD_LEN) {
            copy.copy_from_slice(&record);
        }
        page
    }

    fn encode(self) -> [u8; RECORD_LEN] {
        let mut out = Vec::with_capacity(RECORD_LEN);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&2u16.to_le_bytes());
        out.extend_from_slice(&(PAGE_LEN as u32).to_le_bytes());
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(&self.store.to_bytes());
        out.extend_from_slice(&self.record.uid.to_bytes());
        let before = self.predecessor;
        for word in [
            self.record.number.get(),
            self.record.extent_pages,
            self.generation,
            self.first.get(),
            self.carried.get(),
            before.map_or(0, |before| before.number.get()),
        ] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&before.map_or([0; 16], |before| before.uid.to_bytes()));
        out.extend_from_slice(&before.map_or(0, |before| before.end.0).to_le_bytes());
        out.resize(CHECKED_LEN, 0);
        out.extend_from_slice(&XxHash3_128::oneshot(&out).to_le_bytes());
        let mut record = [0; RECORD_LEN];
        record.copy_from_slice(&out);
        record
    }

    /// The best of what the copies in `page` say.
    pub(crate) fn find(page: &Page) -> Found {
        let mut newer = false;
        for copy in page.chunks_exact(RECORD_LEN) {
            match Self::decode(copy) {
                Found::Header(header) => return Found::Header(header),
                Found::Newer => newer = true,
                Found::Blank | Found::Bad => {}
            }
        }
        match newer {
            true => Found::Newer,
            false if page.iter().all(|&byte| byte == 0) => Found::Blank,
            false => Found::Bad,
        }
    }

    /// The page as it was written, if one of its copies proves itself.
    pub(crate) fn mend(page: &Page) -> Option<Box<Page>> {
        let good =
            page.chunks_exact(RECORD_LEN).find(|copy| matches!(Self::decode(copy), Found::Header(_)))?;
        let mut whole = Box::new([0; PAGE_LEN]);
        whole.chunks_exact_mut(RECORD_LEN).for_each(|copy| copy.copy_from_slice(good));
        Some(whole)
    }

    fn decode(copy: &[u8]) -> Found {
        Self::prove(copy).unwrap_or(Found::Bad)
    }

    fn prove(copy: &[u8]) -> Option<Found> {
        let (checked, sum) = copy.split_at_checked(CHECKED_LEN)?;
        if !checked.starts_with(MAGIC) || sum != XxHash3_128::oneshot(checked).to_le_bytes() {
            return None;
        }
        let long = |at: usize| Some(u64::from_le_bytes(*checked[at..].first_chunk()?));
        let uid = |at: usize| Some(Uid::new(*checked[at..].first_chunk()?));
        let shape =
            [&VERSION.to_le_bytes()[..], &2u16.to_le_bytes(), &(PAGE_LEN as u32).to_le_bytes()].concat();
        if checked[8..16] != shape || long(16)? != 0 || checked[136..140] != [0; 4] {
            return Some(Found::Newer);
        }
        let number = SegmentNo::new(long(104)?);
        let before = Predecessor { number, uid: uid(112)?, end: Position(long(128)?) };
        let header = Self {
            store: uid(32)?,
            record: SegmentRecord {
                number: SegmentNo::new(long(64)?),
                uid: uid(48)?,
                extent_pages: long(72)?,
            },
            generation: long(80)?,
            first: SeqNo::new(long(88)?),
            carried: SeqNo::new(long(96)?),
            predecessor: (number.get() != 0).then_some(before),
        };
        header.record.is_sane().then_some(Found::Header(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let record = SegmentRecord { number: SegmentNo::new(9), uid: Uid::new([3; 16]), extent_pages: 8192 };
        let before = Predecessor { number: SegmentNo::new(8), uid: Uid::new([2; 16]), end: Position(0x5000) };
        Header {
            store: Uid::new([1; 16]),
            record,
            generation: 4,
            first: SeqNo::new(1000),
            carried: SeqNo::new(1010),
            predecessor: Some(before),
        }
    }

    #[test]
    fn a_header_keeps_its_bytes() {
        let page = header().to_page();
        let hex: String =
            page[..140].iter().chain(&page[496..512]).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            concat!(
                "52534c56574c4f470100020000100000",
                "00000000000000000000000000000000",
                "01010101010101010101010101010101",
                "03030303030303030303030303030303",
                "09000000000000000020000000000000",
                "0400000000000000e803000000000000",
                "f2030000000000000800000000000000",
                "02020202020202020202020202020202",
                "005000000000000000000000",
                "2acbc04bf7c55728dfb604c163943be3",
            )
        );
        assert!(page[140..496].iter().all(|&byte| byte == 0));
        assert!(page.chunks(512).all(|copy| copy == &page[..512]));
    }

    #[test]
    fn any_one_copy_is_enough_and_none_is_too_little() {
        let whole = header().to_page();
        for left in 0..8 {
            let mut page = Box::new([0xEE; PAGE_LEN]);
            page[left * 512..][..512].copy_from_slice(&whole[..512]);
            assert_eq!(Header::find(&page), Found::Header(header()));
            assert_eq!(Header::mend(&page), Some(whole.clone()));
            page[left * 512 + 70] ^= 1;
            assert_eq!(Header::find(&page), Found::Bad);
        }
        assert_eq!(Header::find(&[0; PAGE_LEN]), Found::Blank);
    }

    #[test]
    fn an_unknown_incompatible_feature_or_version_is_newer_and_not_damage() {
        for at in [8, 16, 136] {
            let mut copy = header().encode();
            copy[at] ^= 0x80;
            let sum = XxHash3_128::oneshot(&copy[..CHECKED_LEN]).to_le_bytes();
            copy[CHECKED_LEN..].copy_from_slice(&sum);
            assert_eq!(Header::decode(&copy), Found::Newer);
        }
    }
}
