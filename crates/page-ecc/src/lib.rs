//! Finds and rebuilds damaged pages of immutable files.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod crc;
mod descriptor;
mod digest;
mod digest_page;
mod flip;
mod geometry;
mod hsiao;
mod page;
mod parity;
mod scheme;
mod seal;

pub use descriptor::{Descriptor, DescriptorError, FieldError};
pub use digest::Uid;
pub use geometry::{Geometry, GeometryError, Region};
pub use page::{PAGE_LEN, Page, PageNo, PageRanges};
pub use scheme::{InnerCode, Scheme, UnknownScheme};
pub use seal::{BodyBuffer, SealOptions, SealedImage};
