//! A page of a file of edits. Both copies of the file hold the same pages at the same places.
//!
//! | at   | len  | field      | meaning                                                              |
//! |-----:|-----:|------------|----------------------------------------------------------------------|
//! |    0 |    4 | magic      | `RSLM`                                                               |
//! |    4 |    2 | version    | 1                                                                    |
//! |    6 |    1 | kind       | 1 birth, 2 part of an edit, 3 successor, 4 mark                      |
//! |    7 |    1 | zero       | 0                                                                    |
//! |    8 |    8 | generation | of the file                                                          |
//! |   16 |   16 | uid        | of the generation and its snapshot                                   |
//! |   32 |    8 | number     | of the edit; of the last one before, for the other kinds             |
//! |   40 |   16 | chain      | of the edit before; after `number`, for the other kinds              |
//! |   56 |    8 | durable    | every edit up to this one was durable when this page was written     |
//! |   64 |    4 | page       | where in the file it stands                                          |
//! |   68 |    4 | index      | which page of the edit it is                                         |
//! |   72 |    4 | count      | how many the edit has                                                |
//! |   76 |    2 | len        | bytes of payload, n                                                  |
//! |   78 |    2 | zero       | 0                                                                    |
//! |   80 | 4000 | payload    | n bytes, then zeros                                                  |
//! | 4080 |   16 | checksum   | XXH3-128 of bytes 0..4080                                            |
//!
//! Page 0 is the birth; edits follow, each from a fresh page on, so that a page with something durable in it
//! is never written again. The last page is kept for the successor: the payload is the u64 number of a newer
//! generation that is durable. A mark stands behind edits when nothing follows them for a while, and says with its
//! `durable` that they were. Pages that were never written are zeros.
//!
//! The chain before the first edit of a store is 0; behind an edit it is XXH3-128 of the chain before it, its
//! number, and its payload. Numbers and chain go on from one generation to the next.

use page_ecc::{PAGE_LEN, Page, Uid};
use twox_hash::XxHash3_128;

use super::{
    fields::{FieldError, FieldReader, FieldWriter},
    names::Generation,
};

const MAGIC: [u8; 4] = *b"RSLM";
const VERSION: u16 = 1;
const HEAD_LEN: usize = 80;
const CHECKSUM_AT: usize = PAGE_LEN - 16;

/// What a page of edits says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EditPage {
    pub(super) kind: PageKind,
    pub(super) generation: Generation,
    pub(super) uid: Uid,
    pub(super) number: u64,
    pub(super) chain: Chain,
    pub(super) durable: u64,
    pub(super) page: u32,
    pub(super) index: u32,
    pub(super) count: u32,
    pub(super) payload: Vec<u8>,
}

/// What a page of edits is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Birth,
    Edit,
    Successor,
    Mark,
}

/// Stands for every edit so far: two stores with the same one have the same history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain(pub(super) u128);

/// Why bytes are no page of edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageFault {
    /// Never written.
    Blank,
    /// Not what was written.
    Mismatch,
    /// Of a later release.
    Newer { found: u16, known: u16 },
}

impl Chain {
    /// Behind one more edit.
    pub(super) fn and(self, number: u64, payload: &[u8]) -> Self {
        let mut hash = XxHash3_128::new();
        hash.write(&self.0.to_le_bytes());
        hash.write(&number.to_le_bytes());
        hash.write(payload);
        Self(hash.finish_128())
    }
}

impl PageKind {
    const fn tag(self) -> u8 {
        match self {
            Self::Birth => 1,
            Self::Edit => 2,
            Self::Successor => 3,
            Self::Mark => 4,
        }
    }

    fn parse(tag: u8) -> Option<Self> {
        [Self::Birth, Self::Edit, Self::Successor, Self::Mark].into_iter().find(|kind| kind.tag() == tag)
    }
}

impl EditPage {
    /// How much of an edit a page takes.
    pub(super) const PAYLOAD_MAX: usize = CHECKSUM_AT - HEAD_LEN;

    pub(super) fn encode(&self) -> Page {
        assert!(self.payload.len() <= Self::PAYLOAD_MAX);
        let mut writer = FieldWriter::default();
        writer.put(MAGIC).put(VERSION.to_le_bytes()).put([self.kind.tag(), 0]);
        writer.put(self.generation.get().to_le_bytes()).put(self.uid.to_bytes());
        writer.put(self.number.to_le_bytes()).put(self.chain.0.to_le_bytes());
        writer.put(self.durable.to_le_bytes()).put(self.page.to_le_bytes());
        writer.put(self.index.to_le_bytes()).put(self.count.to_le_bytes());
        writer.put((self.payload.len() as u16).to_le_bytes()).put([0; 2]).put(&self.payload);
        let mut page = [0; PAGE_LEN];
        let bytes = writer.into_bytes();
        page[..bytes.len()].copy_from_slice(&bytes);
        let checksum = XxHash3_128::oneshot(&page[..CHECKSUM_AT]);
        page[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        page
    }

    pub(super) fn decode(page: &Page) -> Result<Self, PageFault> {
        let (content, checksum) = page.split_at(CHECKSUM_AT);
        if XxHash3_128::oneshot(content).to_le_bytes() != checksum {
            let is_blank = page.iter().all(|&byte| byte == 0);
            return Err(if is_blank { PageFault::Blank } else { PageFault::Mismatch });
        }
        Self::take(&mut FieldReader::new(content)).map_err(|_| PageFault::Mismatch)?
    }

    fn take(from: &mut FieldReader<'_>) -> Result<Result<Self, PageFault>, FieldError> {
        if from.array("magic")? != MAGIC {
            return Ok(Err(PageFault::Mismatch));
        }
        let found = from.u16("version")?;
        if found != VERSION {
            return Ok(Err(PageFault::Newer { found, known: VERSION }));
        }
        let kind = PageKind::parse(from.u8("kind")?);
        let kind = kind.ok_or(FieldError::Value { at: 6, field: "kind" })?;
        from.u8("zero")?;
        let generation = Generation::new(from.u64("generation")?);
        let (uid, number) = (from.uid("uid")?, from.u64("number")?);
        let (chain, durable) = (Chain(from.u128("chain")?), from.u64("durable")?);
        let (page, index, count) = (from.u32("page")?, from.u32("index")?, from.u32("count")?);
        let len = from.u16("length")?;
        from.u16("zero")?;
        let payload = from.slice(len.into(), "payload")?.to_vec();
        Ok(Ok(Self { kind, generation, uid, number, chain, durable, page, index, count, payload }))
    }
}

const _: () = assert!(HEAD_LEN == 4 + 2 + 1 + 1 + 8 + 16 + 8 + 16 + 8 + 4 + 4 + 4 + 2 + 2);

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(payload: Vec<u8>) -> EditPage {
        EditPage {
            kind: PageKind::Edit,
            generation: Generation::new(3),
            uid: Uid::new([9; 16]),
            number: 41,
            chain: Chain(77),
            durable: 40,
            page: 5,
            index: 1,
            count: 2,
            payload,
        }
    }

    #[test]
    fn pages_come_back_whatever_their_length() {
        for len in [0, 1, EditPage::PAYLOAD_MAX] {
            let page = sample(vec![0xA5; len]);
            assert_eq!(EditPage::decode(&page.encode()), Ok(page));
        }
    }

    #[test]
    fn every_garbled_byte_is_noticed() {
        let page = sample(b"an edit".to_vec()).encode();
        for at in 0..PAGE_LEN {
            let mut garbled = page;
            garbled[at] ^= 0x10;
            assert_eq!(EditPage::decode(&garbled), Err(PageFault::Mismatch), "byte {at}");
        }
        assert_eq!(EditPage::decode(&[0; PAGE_LEN]), Err(PageFault::Blank));
    }

    #[test]
    fn a_page_of_a_later_release_says_so() {
        let mut page = sample(Vec::new()).encode();
        page[4] = 2;
        let checksum = XxHash3_128::oneshot(&page[..CHECKSUM_AT]);
        page[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(EditPage::decode(&page), Err(PageFault::Newer { found: 2, known: 1 }));
    }
}
