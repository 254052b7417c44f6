//! The descriptor: what a sealed file says of itself in its header and footer.
//!
//! Both pages hold the same eight copies of one record, so that either page alone, and any of its
//! sectors alone, tells everything. Where no copy proves itself, the bits are put to the vote.
//! A caller may keep the 512 bytes elsewhere as well and open a file that lost both pages.
//!
//! | at  | len | field        | meaning                                                      |
//! |----:|----:|--------------|--------------------------------------------------------------|
//! |   0 |   8 | magic        | `RSLVSEAL`                                                   |
//! |   8 |   2 | version      | 1                                                            |
//! |  10 |   2 | kind         | of file; its meaning is the caller's                         |
//! |  12 |   2 | scheme       | 0 checksum only, 1 XOR, 2 Reed–Solomon                       |
//! |  14 |   2 | data         | body pages of a column at most, k                            |
//! |  16 |   2 | parity       | parity pages of a column, m                                  |
//! |  18 |   2 | inner        | 0 none, 1 Hsiao (72,64)                                      |
//! |  20 |   4 | page_len     | 4096                                                         |
//! |  24 |   8 | incompatible | feature bits; one that a reader does not know refuses        |
//! |  32 |   8 | compatible   | feature bits; a reader keeps those it does not know          |
//! |  40 |  16 | uid          | of the file                                                  |
//! |  56 |   8 | body_len     | bytes of the body                                            |
//! |  64 |   8 | columns      | L                                                            |
//! |  72 |   8 | digests_a    | page at which copy A starts                                  |
//! |  80 |   8 | word_checks  | page at which the word checks start                          |
//! |  88 |   8 | parity_at    | page at which the parity starts                              |
//! |  96 |   8 | digests_b    | page at which copy B starts                                  |
//! | 104 |   8 | footer       | the last page                                                |
//! | 112 |  16 | root         | XXH3-128 of the digest pages, in order                       |
//! | 128 | 368 | fields       | each: tag u16, length u16, bytes; tag 0 ends; zeros behind   |
//! | 496 |  16 | checksum     | XXH3-128 of bytes 0..496                                     |

use alloc::vec::Vec;

use twox_hash::XxHash3_128;

use crate::digest::Uid;
use crate::digest_page;
use crate::geometry::{Geometry, GeometryError, Region};
use crate::page::{PAGE_LEN, Page};
use crate::scheme::{InnerCode, Scheme};

const MAGIC: [u8; 8] = *b"RSLVSEAL";
const VERSION: u16 = 1;
const RECORD_LEN: usize = 512;
const FIELDS_AT: usize = 128;
const CHECKSUM_AT: usize = 496;
const FIELDS_LEN: usize = CHECKSUM_AT - FIELDS_AT;

type Record = [u8; RECORD_LEN];

/// Why a page or record is no descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DescriptorError {
    /// Nothing in it looks like one.
    #[error(
        "this is not a sealed file: no descriptor at its head or tail; name the file that was sealed, or pass its descriptor in"
    )]
    NotSealed,
    /// It was one once.
    #[error(
        "the descriptor is damaged beyond its copies at head and tail; pass in one that was kept elsewhere"
    )]
    Damaged,
    /// A later release wrote it.
    #[error("the file is sealed in format {found}, this release reads up to {known}; use a newer release")]
    NewerVersion {
        /// The version it states.
        found: u16,
        /// The newest version known here.
        known: u16,
    },
    /// A later release wrote it, with features that change what the bytes mean.
    #[error(
        "the file uses format features {unknown:#x} that this release does not know; use a newer release"
    )]
    UnknownFeatures {
        /// The feature bits not known here.
        unknown: u64,
    },
    /// Its checksum holds and its content cannot be: no release writes this.
    #[error("the descriptor contradicts itself in its {field}; the file was not written by a sound writer")]
    Contradiction {
        /// The field that does not fit the others.
        field: &'static str,
    },
    /// Its lengths and counts fit no file.
    #[error("the descriptor states an impossible shape; the file was not written by a sound writer")]
    Shape(#[from] GeometryError),
}

/// No room for a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "field {tag} of {len} bytes does not fit: tags start at 1, and all fields with 4 bytes each share {FIELDS_LEN} bytes"
)]
pub struct FieldError {
    /// The field's tag.
    pub tag: u16,
    /// Its length.
    pub len: usize,
}

/// What a sealed file says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Descriptor {
    pub(crate) geometry: Geometry,
    pub(crate) uid: Uid,
    pub(crate) kind: u16,
    pub(crate) detached: bool,
    pub(crate) compatible: u64,
    pub(crate) root: u128,
    pub(crate) fields: Fields,
}

impl Descriptor {
    /// Bytes of one record, as [`encode`](Self::encode) gives it.
    pub const LEN: usize = RECORD_LEN;

    /// Incompatible feature: the body is a file of its own, the rest stands without it.
    const DETACHED: u64 = 1;

    /// The file's shape.
    #[must_use]
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The file's name for ever.
    #[must_use]
    pub const fn uid(&self) -> Uid {
        self.uid
    }

    /// What kind of file its writer said it is.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        self.kind
    }

    /// Whether the body is a file of its own.
    #[must_use]
    pub const fn is_detached(&self) -> bool {
        self.detached
    }

    /// The digest of all digests: a file replaced as a whole does not have it.
    #[must_use]
    pub const fn root(&self) -> u128 {
        self.root
    }

    /// The bytes of the first field with this tag.
    #[must_use]
    pub fn field(&self, tag: u16) -> Option<&[u8]> {
        self.fields.iter().find(|field| field.0 == tag).map(|field| field.1)
    }

    /// The record, as a caller would keep it elsewhere.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let scheme = self.geometry.scheme();
        let mut writer = Writer { record: [0; RECORD_LEN], at: 0 };
        writer.put(MAGIC);
        writer.put(VERSION.to_le_bytes());
        writer.put(self.kind.to_le_bytes());
        writer.put(scheme.tag().to_le_bytes());
        writer.put(scheme.data().to_le_bytes());
        writer.put(scheme.parity().to_le_bytes());
        writer.put(self.geometry.inner().tag().to_le_bytes());
        writer.put((PAGE_LEN as u32).to_le_bytes());
        writer.put((if self.detached { Self::DETACHED } else { 0 }).to_le_bytes());
        writer.put(self.compatible.to_le_bytes());
        writer.put(self.uid.to_bytes());
        writer.put(self.geometry.body_len().to_le_bytes());
        writer.put(self.geometry.columns().to_le_bytes());
        for region in POSITIONS {
            writer.put(self.geometry.region(region.1).start.get().to_le_bytes());
        }
        writer.put(self.root.to_le_bytes());
        assert!(writer.at == FIELDS_AT);
        writer.put(self.fields.0);
        let checksum = XxHash3_128::oneshot(&writer.record[..CHECKSUM_AT]);
        writer.put(checksum.to_le_bytes());
        assert!(writer.at == RECORD_LEN);
        writer.record
    }

    /// Reads one record.
    ///
    /// # Errors
    /// When it is no descriptor, a damaged one, one of a later release, or one that cannot be.
    pub fn decode(record: &[u8; Self::LEN]) -> Result<Self, DescriptorError> {
        let mut reader = Reader { record, at: 0 };
        if reader.take() != MAGIC {
            return Err(DescriptorError::NotSealed);
        }
        let (body, checksum) = record.split_last_chunk().expect("a record is longer than its checksum");
        if XxHash3_128::oneshot(body) != u128::from_le_bytes(*checksum) {
            return Err(DescriptorError::Damaged);
        }
        let version = reader.u16();
        if version != VERSION {
            return Err(DescriptorError::NewerVersion { found: version, known: VERSION });
        }
        let kind = reader.u16();
        let (scheme, data, parity, inner) = (reader.u16(), reader.u16(), reader.u16(), reader.u16());
        let scheme = Scheme::from_tag(scheme, data, parity);
        let scheme = scheme.ok_or(DescriptorError::Contradiction { field: "scheme" })?;
        let inner =
            InnerCode::from_tag(inner).ok_or(DescriptorError::Contradiction { field: "inner code" })?;
        if u32::from_le_bytes(reader.take()) != PAGE_LEN as u32 {
            return Err(DescriptorError::Contradiction { field: "page length" });
        }
        let incompatible = reader.u64();
        let unknown = incompatible & !Self::DETACHED;
        if unknown != 0 {
            return Err(DescriptorError::UnknownFeatures { unknown });
        }
        let compatible = reader.u64();
        let uid = Uid::new(reader.take());
        let (body_len, columns) = (reader.u64(), reader.u64());
        let geometry = Geometry::with_columns(body_len, scheme, inner, columns)?;
        for (field, region) in POSITIONS {
            if reader.u64() != geometry.region(region).start.get() {
                return Err(DescriptorError::Contradiction { field });
            }
        }
        let root = u128::from_le_bytes(reader.take());
        let fields = Fields(reader.take());
        if !fields.is_well_formed() {
            return Err(DescriptorError::Contradiction { field: "fields" });
        }
        let detached = incompatible & Self::DETACHED != 0;
        Ok(Self { geometry, uid, kind, detached, compatible, root, fields })
    }

    /// The header page, which is also the footer page.
    #[must_use]
    pub fn encode_page(&self) -> Page {
        let mut page = [0; PAGE_LEN];
        page.as_chunks_mut().0.fill(self.encode());
        page
    }

    /// Whether a page bears a mark that only sealed files leave: what a file without any descriptor
    /// still shows of what it was.
    #[must_use]
    pub fn is_marked(page: &Page) -> bool {
        let is_record = |record: &Record| record.starts_with(&MAGIC);
        page.as_chunks().0.iter().any(is_record) || digest_page::is_marked(page)
    }

    /// Every different descriptor that some of these pages hold: header and footer, where they
    /// could be read.
    ///
    /// More than one means that a page came from elsewhere; which is the file's own, its digest
    /// pages decide ([`Ladder::is_borne_out`](crate::Ladder::is_borne_out)).
    ///
    /// # Errors
    /// When none is found: what the most telling of the pages says.
    pub fn find(pages: &[&Page]) -> Result<Vec<Self>, DescriptorError> {
        let records: Vec<&Record> = pages.iter().flat_map(|page| page.as_chunks().0).collect();
        let mut found: Vec<Self> = Vec::new();
        let mut reason = DescriptorError::NotSealed;
        for record in &records {
            match Self::decode(record) {
                Ok(descriptor) if found.contains(&descriptor) => {}
                Ok(descriptor) => found.push(descriptor),
                Err(error) if reason == DescriptorError::NotSealed => reason = error,
                Err(DescriptorError::NotSealed | DescriptorError::Damaged) => {}
                Err(error) => reason = error,
            }
        }
        if found.is_empty() {
            let by_page = pages.iter().map(|page| vote(page.as_chunks().0.iter()));
            let voted = by_page.chain([vote(records.iter().copied())]);
            found.extend(voted.filter_map(|record| Self::decode(&record).ok()).take(1));
        }
        if found.is_empty() { Err(reason) } else { Ok(found) }
    }
}

const POSITIONS: [(&str, Region); 5] = [
    ("first digests", Region::DigestsA),
    ("word checks", Region::WordChecks),
    ("parity", Region::Parity),
    ("second digests", Region::DigestsB),
    ("footer", Region::Footer),
];

/// The record in which every bit is what most of these records say.
fn vote<'a>(records: impl Iterator<Item = &'a Record> + Clone) -> Record {
    let count = records.clone().count();
    let mut voted = [0; RECORD_LEN];
    for (at, byte) in voted.iter_mut().enumerate() {
        for bit in 0..8 {
            let ones = records.clone().filter(|record| record[at] >> bit & 1 == 1).count();
            *byte |= u8::from(ones * 2 > count) << bit;
        }
    }
    voted
}

/// The checksummed area for what callers want to say of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fields([u8; FIELDS_LEN]);

impl Fields {
    const HEAD: usize = 4;

    pub(crate) const fn new() -> Self {
        Self([0; FIELDS_LEN])
    }

    pub(crate) fn push(&mut self, tag: u16, bytes: &[u8]) -> Result<(), FieldError> {
        let used: usize = self.iter().map(|(_, bytes)| Self::HEAD + bytes.len()).sum();
        let end = used + Self::HEAD + bytes.len();
        if tag == 0 || end > FIELDS_LEN {
            return Err(FieldError { tag, len: bytes.len() });
        }
        let field = &mut self.0[used..end];
        field[..2].copy_from_slice(&tag.to_le_bytes());
        field[2..Self::HEAD].copy_from_slice(&(bytes.len() as u16).to_le_bytes());
        field[Self::HEAD..].copy_from_slice(bytes);
        Ok(())
    }

    /// The fields up to the end or to the first that does not fit.
    fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut rest = &self.0[..];
        core::iter::from_fn(move || {
            let (head, behind) = rest.split_first_chunk::<{ Self::HEAD }>()?;
            let [tag_low, tag_high, len_low, len_high] = *head;
            let tag = u16::from_le_bytes([tag_low, tag_high]);
            let bytes = behind.get(..usize::from(u16::from_le_bytes([len_low, len_high])))?;
            rest = &behind[bytes.len()..];
            (tag != 0).then_some((tag, bytes))
        })
    }

    /// Whether nothing but zeros stands behind the last field.
    fn is_well_formed(&self) -> bool {
        let used: usize = self.iter().map(|(_, bytes)| Self::HEAD + bytes.len()).sum();
        self.0[used..].iter().all(|&byte| byte == 0)
    }
}

struct Writer {
    record: Record,
    at: usize,
}

impl Writer {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.record[self.at..self.at + N].copy_from_slice(&bytes);
        self.at += N;
    }
}

struct Reader<'a> {
    record: &'a Record,
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let bytes =
            self.record[self.at..].first_chunk().expect("the fields of a record add up to its length");
        self.at += N;
        *bytes
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

#[cfg(test)]
#[path = "descriptor_tests.rs"]
mod tests;
