//! The birth of a generation: what it starts from. It stands three times, in the first page of both files of
//! edits and at the head of the snapshot.
//!
//! | at | len | field        | meaning                                                               |
//! |---:|----:|--------------|-----------------------------------------------------------------------|
//! |  0 |   8 | generation   | which one                                                             |
//! |  8 |   8 | previous     | the one whose edits lead to this snapshot; 0 for a new store          |
//! | 16 |   8 | number       | the last edit in the snapshot; later ones of `previous` do not count  |
//! | 24 |  16 | chain        | the chain behind that edit                                            |
//! | 40 |  16 | origin       | who the store was at first                                            |
//! | 56 |   8 | incompatible | feature bits; one that a reader does not know refuses                 |
//! | 64 |   8 | compatible   | feature bits; a writer carries on those it does not know              |
//! | 72 |   4 | pages        | of each file of edits                                                 |
//! | 76 |   4 | zero         | 0                                                                     |
//!
//! In a page of edits the 512 bytes of the snapshot's descriptor follow.

use page_ecc::{Descriptor, Page, Uid};

use super::{
    edit_page::{Chain, EditPage, PageKind},
    fields::{FieldError, FieldReader, FieldWriter},
    names::Generation,
};

/// A birth, an edit, a successor.
const PAGES_MIN: u32 = 3;

/// What a generation starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Birth {
    pub(super) generation: Generation,
    pub(super) previous: Option<Generation>,
    /// The last edit before it.
    pub(super) number: u64,
    /// The chain behind that.
    pub(super) chain: Chain,
    pub(super) origin: Uid,
    pub(super) compatible: u64,
    /// Of each file of edits.
    pub(super) pages: u32,
}

/// A birth as the pages of edits state it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stated {
    pub(super) birth: Birth,
    /// Of the snapshot, whose uid is the generation's.
    pub(super) descriptor: Descriptor,
}

/// Why a birth is not to be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BirthError {
    /// It has features that change what the bytes mean.
    Features(u64),
    /// It cannot be.
    Fields(FieldError),
}

impl Birth {
    pub(super) const LEN: usize = 80;

    pub(super) fn put(&self, into: &mut FieldWriter) {
        let previous = self.previous.map_or(0, Generation::get);
        into.put(self.generation.get().to_le_bytes()).put(previous.to_le_bytes());
        into.put(self.number.to_le_bytes()).put(self.chain.0.to_le_bytes());
        into.put(self.origin.to_bytes());
        into.put(0u64.to_le_bytes()).put(self.compatible.to_le_bytes());
        into.put(self.pages.to_le_bytes()).put([0; 4]);
    }

    pub(super) fn take(from: &mut FieldReader<'_>) -> Result<Self, BirthError> {
        let generation = Generation::new(from.u64("generation")?);
        let at = from.at();
        let previous = Some(from.u64("previous generation")?).filter(|&number| number > 0);
        let previous = previous.map(Generation::new);
        let (number, chain) = (from.u64("number")?, Chain(from.u128("chain")?));
        let origin = from.uid("origin")?;
        let (incompatible, compatible) = (from.u64("features")?, from.u64("features")?);
        let pages = from.u32("count of pages")?;
        from.u32("zero")?;
        if incompatible != 0 {
            return Err(BirthError::Features(incompatible));
        }
        if previous.is_some_and(|previous| previous >= generation) {
            return Err(FieldError::Value { at, field: "previous generation" }.into());
        }
        if pages < PAGES_MIN {
            return Err(FieldError::Value { at, field: "count of pages" }.into());
        }
        Ok(Self { generation, previous, number, chain, origin, compatible, pages })
    }
}

impl Stated {
    pub(super) fn encode_page(&self) -> Page {
        let mut payload = FieldWriter::default();
        self.birth.put(&mut payload);
        payload.put(self.descriptor.encode());
        let page = EditPage {
            kind: PageKind::Birth,
            generation: self.birth.generation,
            uid: self.descriptor.uid(),
            number: self.birth.number,
            chain: self.birth.chain,
            durable: self.birth.number,
            page: 0,
            index: 0,
            count: 1,
            payload: payload.into_bytes(),
        };
        page.encode()
    }

    /// The birth that a page states.
    pub(super) fn of(page: &EditPage) -> Result<Self, BirthError> {
        let mut from = FieldReader::new(&page.payload);
        let birth = Birth::take(&mut from)?;
        let at = from.at();
        let descriptor = Descriptor::decode(&from.array("snapshot descriptor")?)
            .map_err(|_| FieldError::Value { at, field: "snapshot descriptor" })?;
        let agrees = birth.generation == page.generation && descriptor.uid() == page.uid;
        if agrees {
            Ok(Self { birth, descriptor })
        } else {
            Err(FieldError::Value { at: 0, field: "generation" }.into())
        }
    }
}

impl From<FieldError> for BirthError {
    fn from(error: FieldError) -> Self {
        Self::Fields(error)
    }
}
