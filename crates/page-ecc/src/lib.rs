//! Finds and rebuilds damaged pages of immutable files.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod crc;
mod descriptor;
mod digest;
mod digest_page;
mod evidence;
mod flip;
mod geometry;
mod hsiao;
mod ladder;
mod page;
mod parity;
mod scheme;
mod seal;
mod seal_strips;
mod source;
mod strip;

pub use descriptor::{Descriptor, DescriptorError, FieldError};
pub use digest::Uid;
pub use evidence::{Evidence, Examination, Fault, Finding, Loss, Patch, Rung};
pub use geometry::{Geometry, GeometryError, Region};
pub use ladder::{Ladder, RecoveredBody};
pub use page::{PAGE_LEN, Page, PageNo, PageRanges};
pub use scheme::{InnerCode, Scheme, UnknownScheme};
pub use seal::{BodyBuffer, SealOptions, SealedImage};
pub use seal_strips::{SealStore, StripScratch, StripSealer};
pub use source::{NoOlderCopy, PageSource, ReadFrom, Unreadable};
