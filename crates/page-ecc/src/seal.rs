//! Sealing a body that is in memory: one image out, ready to be written.
//!
//! Bodies too large for memory are sealed in strips ([`StripSealer`](crate::StripSealer)); both
//! make the same bytes.

use alloc::vec::Vec;
use core::ops::Range;

use twox_hash::XxHash3_128;

use crate::descriptor::{Descriptor, FieldError, Fields};
use crate::digest::{Digest, Salter, Uid};
use crate::digest_page;
use crate::geometry::{Geometry, GeometryError, PAGES_PER_WORD_PAGE, Region};
use crate::hsiao::{CHECKS_LEN, WordCode};
use crate::page::{CodeNo, PAGE_LEN, Page, PageNo, ZERO_PAGE};
use crate::parity::ColumnCodec;
use crate::scheme::{InnerCode, Scheme};

/// How a file is to be sealed. Only the uid has no default: it must be drawn anew for every file.
///
/// ```
/// use page_ecc::{Scheme, SealOptions, Uid};
/// let random = [7; 16]; // from the system's random source
/// let options = SealOptions::new(Uid::new(random)).scheme(Scheme::STRONG).kind(2);
/// let image = options.seal(b"the body")?;
/// assert_eq!(image.descriptor().geometry().body_len(), 8);
/// assert_eq!(image.body(), b"the body");
/// # Ok::<(), page_ecc::GeometryError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SealOptions {
    uid: Uid,
    scheme: Scheme,
    inner: InnerCode,
    kind: u16,
    detached: bool,
    fields: Fields,
}

impl SealOptions {
    /// Seals under [`Scheme::STANDARD`] with no inner code, as kind 0.
    #[must_use]
    pub const fn new(uid: Uid) -> Self {
        let (scheme, inner, fields) = (Scheme::STANDARD, InnerCode::None, Fields::new());
        Self { uid, scheme, inner, kind: 0, detached: false, fields }
    }

    /// The code over columns.
    #[must_use]
    pub const fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// The code inside pages.
    #[must_use]
    pub const fn inner(mut self, inner: InnerCode) -> Self {
        self.inner = inner;
        self
    }

    /// What kind of file it is; the number means what the caller wants it to.
    #[must_use]
    pub const fn kind(mut self, kind: u16) -> Self {
        self.kind = kind;
        self
    }

    /// States that the body is a file of its own: header, digests, parity and footer stand apart.
    #[must_use]
    pub const fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Adds a field to the descriptor; tags from 1 on mean what the caller wants them to.
    ///
    /// # Errors
    /// When the descriptor has no room for it.
    pub fn field(mut self, tag: u16, bytes: &[u8]) -> Result<Self, FieldError> {
        self.fields.push(tag, bytes)?;
        Ok(self)
    }

    /// Seals a copy of `body`.
    ///
    /// # Errors
    /// When no sealed file has this shape.
    pub fn seal(&self, body: &[u8]) -> Result<SealedImage, GeometryError> {
        let mut buffer = BodyBuffer::with_capacity(body.len());
        buffer.extend_from_slice(body);
        buffer.seal(self)
    }

    pub(crate) fn geometry(&self, body_len: u64) -> Result<Geometry, GeometryError> {
        Geometry::new(body_len, self.scheme, self.inner)
    }

    pub(crate) const fn is_detached(&self) -> bool {
        self.detached
    }

    pub(crate) const fn uid(&self) -> Uid {
        self.uid
    }

    pub(crate) fn descriptor(&self, geometry: Geometry, root: u128) -> Descriptor {
        Descriptor {
            geometry,
            uid: self.uid,
            kind: self.kind,
            detached: self.detached,
            compatible: 0,
            root,
            fields: self.fields.clone(),
        }
    }
}

/// A body that grows in the place where it will be sealed, so that sealing copies nothing.
///
/// ```
/// use page_ecc::{BodyBuffer, SealOptions, Uid};
/// let mut body = BodyBuffer::with_capacity(1 << 16);
/// body.extend_from_slice(b"block after ");
/// body.extend_from_slice(b"block");
/// let image = body.seal(&SealOptions::new(Uid::new([1; 16])))?;
/// assert_eq!(image.body(), b"block after block");
/// # Ok::<(), page_ecc::GeometryError>(())
/// ```
#[derive(Debug)]
pub struct BodyBuffer {
    /// The header page's room, then the body.
    bytes: Vec<u8>,
    /// Of the body's pages that are whole, taken as soon as they are, while the cache has them.
    digests: Vec<Digest>,
}

impl BodyBuffer {
    /// An empty body, with room for `body_len` bytes and what sealing adds under the default scheme.
    #[must_use]
    pub fn with_capacity(body_len: usize) -> Self {
        let geometry = Geometry::new(body_len as u64, Scheme::STANDARD, InnerCode::None);
        let room = geometry.map_or(body_len, |geometry| geometry.total_len() as usize);
        let mut bytes = Vec::with_capacity(room);
        bytes.resize(PAGE_LEN, 0);
        Self { bytes, digests: Vec::with_capacity(body_len / PAGE_LEN) }
    }

    /// Moves into `memory`, which may have been an image before; what was in it is gone.
    ///
    /// Memory fresh from the system is given page by page as it is first written, which costs about as much as
    /// everything else that sealing does. Memory used before costs nothing.
    ///
    /// ```
    /// use page_ecc::{BodyBuffer, SealOptions, Uid};
    /// let first = SealOptions::new(Uid::new([1; 16])).seal(b"one body")?;
    /// let mut body = BodyBuffer::with_capacity(7);
    /// body.move_into(first.into_bytes());
    /// body.extend_from_slice(b"another");
    /// let second = body.seal(&SealOptions::new(Uid::new([2; 16])))?;
    /// assert_eq!(second.body(), b"another");
    /// # Ok::<(), page_ecc::GeometryError>(())
    /// ```
    pub fn move_into(&mut self, mut memory: Vec<u8>) {
        memory.clear();
        memory.reserve_exact(self.bytes.capacity());
        memory.extend_from_slice(&self.bytes);
        self.bytes = memory;
    }

    /// Adds bytes at the body's end.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let (pages, _) = self.bytes[PAGE_LEN..].as_chunks::<PAGE_LEN>();
        self.digests.extend(pages[self.digests.len()..].iter().map(|page| Digest::unsalted(page)));
    }

    /// The body so far. None of it will change, so it may be written to its place, behind one page, before the
    /// rest is there.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[PAGE_LEN..]
    }

    /// Bytes of the body so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - PAGE_LEN
    }

    /// Whether the body has no bytes yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Turns the body into a sealed image, in place.
    ///
    /// # Errors
    /// When no sealed file has this shape.
    pub fn seal(self, options: &SealOptions) -> Result<SealedImage, GeometryError> {
        let geometry = options.geometry(self.len() as u64)?;
        let mut bytes = self.bytes;
        bytes.resize(geometry.total_len() as usize, 0);
        let mut image = Image { pages: bytes.as_chunks_mut().0, geometry, salter: Salter::new(options.uid) };
        image.write_parity();
        image.write_word_checks();
        let root = image.write_digests(&self.digests);
        let descriptor = options.descriptor(geometry, root);
        image.write_descriptor(&descriptor);
        Ok(SealedImage { bytes, descriptor })
    }
}

/// A sealed file in memory.
#[derive(Clone, Debug)]
pub struct SealedImage {
    bytes: Vec<u8>,
    descriptor: Descriptor,
}

impl SealedImage {
    /// The whole file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole file.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The body, as it was given.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[PAGE_LEN..][..self.descriptor.geometry.body_len() as usize]
    }

    /// What the file says of itself.
    #[must_use]
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

/// An image while it is being sealed.
struct Image<'a> {
    pages: &'a mut [Page],
    geometry: Geometry,
    salter: Salter,
}

impl Image<'_> {
    fn write_parity(&mut self) {
        let geometry = self.geometry;
        let mut codec = ColumnCodec::new(&geometry);
        let body_at = index(geometry.region(Region::Body).start);
        let parity_at = index(geometry.region(Region::Parity).start);
        let (front, parity) = self.pages.split_at_mut(parity_at);
        for column in 0..geometry.columns() {
            let shards = 0..geometry.data_shards();
            let body = shards.map(|shard| match geometry.code_no_at(shard, column) {
                Some(number) => &front[body_at + number.0 as usize],
                None => &ZERO_PAGE,
            });
            codec.encode(body, |shard, page| {
                parity[shard * geometry.columns() as usize + column as usize] = *page;
            });
        }
    }

    fn write_word_checks(&mut self) {
        let region = self.geometry.region(Region::WordChecks);
        for (word_page, page) in (region.start.get()..region.end.get()).enumerate() {
            let mut checks = ZERO_PAGE;
            let covered = covered_by_word_page(&self.geometry, word_page as u64);
            for (number, checks) in covered.zip(checks.chunks_exact_mut(CHECKS_LEN)) {
                WordCode::encode(&self.pages[index(self.geometry.page_of(CodeNo(number)))], checks);
            }
            self.pages[page as usize] = checks;
        }
    }

    /// Writes both copies of the digests and gives their root; `known` are those of the first pages.
    fn write_digests(&mut self, known: &[Digest]) -> u128 {
        let geometry = self.geometry;
        let a_at = index(geometry.region(Region::DigestsA).start);
        let b_at = index(geometry.region(Region::DigestsB).start);
        for number in 0..geometry.code_pages() {
            let unsalted = match known.get(number as usize) {
                Some(known) => *known,
                None => Digest::unsalted(&self.pages[index(geometry.page_of(CodeNo(number)))]),
            };
            let digest = self.salter.bind(number, unsalted).encode();
            let (digest_page, at) = digest_page::place_of(CodeNo(number));
            self.pages[a_at + digest_page as usize][at..at + digest.len()].copy_from_slice(&digest);
        }
        let mut root = XxHash3_128::new();
        for digest_page in 0..geometry.digest_pages() {
            let page = &mut self.pages[a_at + digest_page as usize];
            digest_page::close(page, digest_page, self.salter);
            root.write(page);
            self.pages[b_at + digest_page as usize] = self.pages[a_at + digest_page as usize];
        }
        root.finish_128()
    }

    fn write_descriptor(&mut self, descriptor: &Descriptor) {
        let page = descriptor.encode_page();
        for region in [Region::Header, Region::Footer] {
            self.pages[index(self.geometry.region(region).start)] = page;
        }
    }
}

/// The numbers of the pages whose checks stand in word-check page `word_page`.
pub(crate) fn covered_by_word_page(geometry: &Geometry, word_page: u64) -> Range<u64> {
    let first = word_page * PAGES_PER_WORD_PAGE;
    first..(first + PAGES_PER_WORD_PAGE).min(geometry.column_pages())
}

fn index(page: PageNo) -> usize {
    page.get() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_grew_in_pieces_and_moved_is_sealed_as_one_that_did_not() {
        let body: Vec<u8> = (0..9 * PAGE_LEN + 5).map(|at| ((at * 131) >> 3) as u8).collect();
        let options = SealOptions::new(Uid::new([5; 16]));
        for piece in [1000, PAGE_LEN - 1, PAGE_LEN, PAGE_LEN + 1, 3 * PAGE_LEN, body.len()] {
            let mut buffer = BodyBuffer::with_capacity(0);
            for (at, piece) in body.chunks(piece).enumerate() {
                if at % 3 == 1 {
                    buffer.move_into([0xEE].repeat(at * PAGE_LEN));
                }
                buffer.extend_from_slice(piece);
            }
            assert!(buffer.as_bytes() == body);
            let image = buffer.seal(&options).unwrap();
            assert!(image.as_bytes() == options.seal(&body).unwrap().as_bytes(), "pieces of {piece}");
        }
    }
}
