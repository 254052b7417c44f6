//! Sealing a body too large for memory, strip by strip, with memory that its length does not move.
//!
//! Each strip is read, encoded and written on its own, so several can be under way at once. The
//! descriptor is written last: a seal broken off half-way is none. The body is read once; digest
//! and word-check pages are read back at the end to prove themselves.

use alloc::vec::Vec;

use twox_hash::XxHash3_128;

use crate::descriptor::Descriptor;
use crate::digest::{Digest, Salter};
use crate::digest_page::{self, DIGESTS_PER_PAGE};
use crate::geometry::{Geometry, GeometryError, Region};
use crate::hsiao::{CHECKS_LEN, WordCode};
use crate::page::{CodeNo, PAGE_LEN, Page, ZERO_PAGE};
use crate::parity::ColumnCodec;
use crate::scheme::InnerCode;
use crate::seal::SealOptions;
use crate::strip::{Run, Strip, columns_within};

/// A sealed file in the making: its body is there, the rest is to be written around it.
///
/// Offsets are those of the sealed file. Strips may be sealed at the same time, hence `&self`.
pub trait SealStore {
    /// Why a read or write failed.
    type Error;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// When not all of them could be read.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Self::Error>;

    /// Writes `bytes` from `offset` on.
    ///
    /// # Errors
    /// When not all of them could be written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Seals a file whose body is in place, in strips of columns.
///
/// ```
/// use page_ecc::{SealOptions, SealStore, StripSealer, Uid};
/// use std::cell::RefCell;
///
/// struct Memory(RefCell<Vec<u8>>);
/// impl SealStore for Memory {
///     type Error = std::convert::Infallible;
///     fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Self::Error> {
///         bytes.copy_from_slice(&self.0.borrow()[offset as usize..][..bytes.len()]);
///         Ok(())
///     }
///     fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Self::Error> {
///         self.0.borrow_mut()[offset as usize..][..bytes.len()].copy_from_slice(bytes);
///         Ok(())
///     }
/// }
///
/// let options = SealOptions::new(Uid::new([1; 16]));
/// let sealer = StripSealer::new(5, &options, 1 << 20)?;
/// let store = Memory(RefCell::new(vec![0; sealer.geometry().total_len() as usize]));
/// store.write_at(4096, b"hello").unwrap(); // the body follows the header page
/// let mut scratch = sealer.scratch();
/// for strip in 0..sealer.strips() {
///     sealer.seal_strip(strip, &store, &mut scratch).unwrap();
/// }
/// sealer.finish(&store).unwrap();
/// assert_eq!(store.0.into_inner(), options.seal(b"hello")?.into_bytes());
/// # Ok::<(), page_ecc::GeometryError>(())
/// ```
#[derive(Debug)]
pub struct StripSealer {
    options: SealOptions,
    geometry: Geometry,
    salter: Salter,
    strip_columns: u64,
}

/// Work space for one strip at a time.
#[derive(Debug)]
pub struct StripScratch {
    strip: Strip,
    codec: ColumnCodec,
    digests: Vec<u8>,
    checks: Vec<u8>,
}

impl StripSealer {
    /// Plans the sealing of a body. Each [`StripScratch`] will take about `strip_bytes`, or one
    /// column (at most 17 MiB, by default 272 KiB) if that is more.
    ///
    /// # Errors
    /// When no sealed file has this shape.
    pub fn new(body_len: u64, options: &SealOptions, strip_bytes: usize) -> Result<Self, GeometryError> {
        let geometry = options.geometry(body_len)?;
        let strip_columns = columns_within(&geometry, strip_bytes);
        Ok(Self { options: options.clone(), geometry, salter: Salter::new(options.uid()), strip_columns })
    }

    /// The shape of the file to be.
    #[must_use]
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// How many strips there are.
    #[must_use]
    pub const fn strips(&self) -> u64 {
        self.geometry.columns().div_ceil(self.strip_columns)
    }

    /// Work space, one for each strip that is under way at the same time.
    #[must_use]
    pub fn scratch(&self) -> StripScratch {
        StripScratch {
            strip: Strip::new(self.geometry),
            codec: ColumnCodec::new(&self.geometry),
            digests: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// Reads one strip of the body, writes its parity, digests and word checks.
    ///
    /// # Errors
    /// What the store reported.
    ///
    /// # Panics
    /// When there is no such strip.
    pub fn seal_strip<S: SealStore>(
        &self,
        strip: u64,
        store: &S,
        scratch: &mut StripScratch,
    ) -> Result<(), S::Error> {
        assert!(strip < self.strips(), "there are {} strips", self.strips());
        let start = strip * self.strip_columns;
        let columns = start..(start + self.strip_columns).min(self.geometry.columns());
        scratch.strip.move_to(columns.clone());
        let body = self.geometry.data_shards();
        for run in scratch.strip.runs(0..body) {
            self.read_body(store, run.first, scratch.strip.run_mut(&run))?;
            self.write_proofs(store, &run, scratch)?;
        }
        for column in columns {
            scratch.strip.encode(column, &mut scratch.codec);
        }
        for run in scratch.strip.runs(body..body + self.geometry.parity_shards()) {
            let offset = self.geometry.page_of(run.first).offset();
            store.write_at(offset, scratch.strip.run(&run).as_flattened())?;
            self.write_proofs(store, &run, scratch)?;
        }
        Ok(())
    }

    /// Closes the digests and writes the descriptor, once every strip is sealed.
    ///
    /// # Errors
    /// What the store reported.
    pub fn finish<S: SealStore>(&self, store: &S) -> Result<Descriptor, S::Error> {
        self.write_padding(store)?;
        self.prove_word_checks(store)?;
        let root = self.close_digests(store)?;
        let descriptor = self.options.descriptor(self.geometry, root);
        let page = descriptor.encode_page();
        for region in [Region::Footer, Region::Header] {
            store.write_at(self.geometry.region(region).start.offset(), &page)?;
        }
        Ok(descriptor)
    }

    /// Reads body pages, zeros behind the body's end.
    fn read_body<S: SealStore>(&self, store: &S, first: CodeNo, pages: &mut [Page]) -> Result<(), S::Error> {
        let bytes = pages.as_flattened_mut();
        let left = self.geometry.body_len() - first.0 * PAGE_LEN as u64;
        let there = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        store.read_at(self.geometry.page_of(first).offset(), &mut bytes[..there])?;
        bytes[there..].fill(0);
        Ok(())
    }

    /// Writes the digests, and the word checks where there are any, of a run.
    fn write_proofs<S: SealStore>(
        &self,
        store: &S,
        run: &Run,
        scratch: &mut StripScratch,
    ) -> Result<(), S::Error> {
        let pages = scratch.strip.run(run);
        scratch.digests.clear();
        for (number, page) in (run.first.0..).zip(pages) {
            scratch.digests.extend_from_slice(&self.salter.digest(number, page).encode());
        }
        self.write_digests(store, run.first, &scratch.digests)?;
        if self.geometry.inner() == InnerCode::None {
            return Ok(());
        }
        scratch.checks.resize(pages.len() * CHECKS_LEN, 0);
        for (page, checks) in pages.iter().zip(scratch.checks.chunks_exact_mut(CHECKS_LEN)) {
            WordCode::encode(page, checks);
        }
        let region = self.geometry.region(Region::WordChecks);
        store.write_at(region.start.offset() + run.first.0 * CHECKS_LEN as u64, &scratch.checks)
    }

    /// Writes digests to copy A, around what each digest page keeps for itself.
    fn write_digests<S: SealStore>(&self, store: &S, first: CodeNo, digests: &[u8]) -> Result<(), S::Error> {
        let start = self.geometry.region(Region::DigestsA).start;
        let (mut number, mut rest) = (first, digests);
        while !rest.is_empty() {
            let (page, at) = digest_page::place_of(number);
            let room = DIGESTS_PER_PAGE * Digest::LEN - at;
            let (now, later) = rest.split_at(room.min(rest.len()));
            store.write_at(start.plus(page).offset() + at as u64, now)?;
            number = CodeNo(number.0 + (now.len() / Digest::LEN) as u64);
            rest = later;
        }
        Ok(())
    }

    /// Zeros behind the body and behind the last word checks, up to the page's end.
    fn write_padding<S: SealStore>(&self, store: &S) -> Result<(), S::Error> {
        let checks_len = self.geometry.column_pages() * CHECKS_LEN as u64;
        let ends = [
            (Region::Body, self.geometry.body_len(), !self.options.is_detached()),
            (Region::WordChecks, checks_len, self.geometry.inner() == InnerCode::Hsiao),
        ];
        for (region, len, _) in ends.into_iter().filter(|end| end.2) {
            let zeros = (len.next_multiple_of(PAGE_LEN as u64) - len) as usize;
            if zeros > 0 {
                store.write_at(self.geometry.region(region).start.offset() + len, &ZERO_PAGE[..zeros])?;
            }
        }
        Ok(())
    }

    fn prove_word_checks<S: SealStore>(&self, store: &S) -> Result<(), S::Error> {
        let mut page = ZERO_PAGE;
        for number in self.geometry.column_pages()..self.geometry.code_pages() {
            store.read_at(self.geometry.page_of(CodeNo(number)).offset(), &mut page)?;
            self.write_digests(store, CodeNo(number), &self.salter.digest(number, &page).encode())?;
        }
        Ok(())
    }

    /// Makes the digest pages prove themselves, copies them and gives their root.
    fn close_digests<S: SealStore>(&self, store: &S) -> Result<u128, S::Error> {
        let a = self.geometry.region(Region::DigestsA).start;
        let b = self.geometry.region(Region::DigestsB).start;
        let (pages, all) = (self.geometry.digest_pages(), self.geometry.code_pages());
        let mut root = XxHash3_128::new();
        for index in 0..pages {
            let mut page = ZERO_PAGE;
            let digests = (all - index * DIGESTS_PER_PAGE as u64).min(DIGESTS_PER_PAGE as u64) as usize;
            store.read_at(a.plus(index).offset(), &mut page[..digests * Digest::LEN])?;
            digest_page::close(&mut page, index, self.salter);
            root.write(&page);
            store.write_at(a.plus(index).offset(), &page)?;
            store.write_at(b.plus(index).offset(), &page)?;
        }
        Ok(root.finish_128())
    }
}
