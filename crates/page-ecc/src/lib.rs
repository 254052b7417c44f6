//! Finds and rebuilds damaged pages of immutable files.
//!
//! A body of bytes is *sealed*: around it stand a digest for every 4 KiB page, kept twice, and
//! Reed–Solomon parity over columns of pages that lie far apart. What a medium then does to the
//! file (a flipped bit, a lost sector, a 64 KiB hole, a missing header, a cut tail), the *ladder*
//! works out the original bytes, or names the pages that are gone. It locates damage by digests and
//! never guesses, so a wrong byte does not leave it.
//!
//! The crate opens no file: it takes bytes or a [`PageSource`], and gives bytes, [`Evidence`] and
//! [`Patch`]es. It knows nothing of blocks, keys or stores.
//!
//! ```
//! use page_ecc::{Descriptor, Ladder, SealOptions, Uid};
//!
//! // Seal a body: the default costs less than 7 % of a file of 16 MiB or more.
//! let uid = Uid::new([7; 16]); // 128 random bits
//! let image = SealOptions::new(uid).seal(&[42; 50_000])?;
//! let mut file = image.clone().into_bytes();
//!
//! // The medium loses its first 64 KiB: the header and everything in the body.
//! file[..64 << 10].fill(0);
//!
//! // The footer still tells what the file was, and parity brings the body back.
//! let last_page = file.last_chunk().expect("a sealed file has pages");
//! let descriptor = Descriptor::find(&[last_page])?.remove(0);
//! let found = Ladder::new(descriptor, &file[..]).examine(image.descriptor().geometry().all_pages());
//! assert!(found.lost().is_empty());
//! for patch in &found.patches {
//!     file[patch.page.offset() as usize..][..4096].copy_from_slice(&patch.bytes[..]);
//! }
//! assert_eq!(file, image.as_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! `std` (default) looks up processor features at run time. Without it the crate is
//! `no_std + alloc`, and the same bytes come from portable code.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

// What a page is, and how it proves itself.
mod crc;
mod digest;
mod flip;
mod hsiao;
mod page;
pub mod varint;

// What a sealed file looks like.
mod descriptor;
mod digest_page;
mod geometry;
mod scheme;

// Making one.
mod parity;
mod seal;
mod seal_strips;
mod strip;

// Reading one, whatever it takes.
mod erasures;
mod evidence;
mod ladder;
mod source;

pub use descriptor::{Descriptor, DescriptorError, FieldError};
pub use digest::Uid;
pub use evidence::{Evidence, Examination, Fault, Finding, Loss, Patch, Rung};
pub use geometry::{Geometry, GeometryError, Region};
pub use hsiao::WordCode;
pub use ladder::{Ladder, RecoveredBody};
pub use page::{PAGE_LEN, Page, PageNo, PageRanges};
pub use scheme::{InnerCode, Scheme, UnknownScheme};
pub use seal::{BodyBuffer, SealOptions, SealedImage};
pub use seal_strips::{SealStore, StripScratch, StripSealer};
pub use source::{NoOlderCopy, PageSource, ReadFrom, Unreadable};
