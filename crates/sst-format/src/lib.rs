//! Sorted tables as bytes.
//!
//! Everything here turns values into bytes and bytes into values; nothing here opens a file, starts a thread
//! or asks for the time.
//!
//! * [`TableWriter`], [`TableView`]: sorted entries to one sealed image, and back by state machines that say
//!   which block they need next.
//! * [`RawBlock`], [`Block`]: pieces of a body that prove themselves, and that [`Salvage`] finds behind a gap.
//! * [`FilterBuilder`], [`Filter`]: which keys a table cannot hold, at about 7 bits a key for one wrong answer
//!   in a hundred.
//! * [`Codec`], [`Compressor`], [`decompress`], [`Dictionary`]: blocks made smaller, and back within a bound.
//! * [`FileKey`], [`Encryptor`]: each block encrypted for its one place in its one file.
//! * [`BlobWriter`], [`BlobReader`], [`Walk`]: large values in files of their own.
//!
//! # Features
//! `std` (default) looks up processor features at run time; `zstd` (default) reads and writes Zstandard;
//! `encryption` (default) reads and writes encrypted files.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// Common ground.
mod entry;
mod limits;
mod order;
mod zigzag;

// What is done to the bytes of a block.
mod codec;
mod crypto;
mod dictionary;

// Blocks, and what stands in them.
mod block;
mod cells;
mod filter;
mod index;
mod properties;
mod ranges;
mod root;

// Whole tables.
mod memory;
mod salvage;
mod table;

// Values that stand apart.
mod blob;

pub use blob::{
    BlobEntry, BlobError, BlobOptions, BlobReader, BlobWriteError, BlobWriter, RawRecord, Record, RecordAddr,
    Walk, Walked,
};
pub use block::{Block, BlockAddr, BlockError, BlockKind, BlockSpan, FileSalt, Payload, RawBlock, Unpacker};
pub use cells::PayloadError;
pub use codec::{Codec, CodecError, CodecTag, Compressed, Compressor, RawLen, ZstdLevel, decompress};
pub use crypto::{BlockPlace, CryptoError, Encryptor, EpochKey, FileKey, KeyEpoch, KeyProvider, KeyStamp};
pub use dictionary::Dictionary;
pub use entry::{BlobRef, Entry, EntryKind, SeqNo};
pub use filter::{
    Answer, FalsePositiveRate, Filter, FilterBuilder, FilterError, FilterKind, FilterPolicy, FilterView,
    KeyHash,
};
pub use limits::{KEY_LEN_MAX, VALUE_LEN_MAX};
pub use memory::{Found, MemoryTable};
pub use order::{Comparator, KeyOrder};
pub use properties::Properties;
pub use ranges::{RangeEntry, RangeKind, RangeSet};
pub use root::TableRoot;
pub use salvage::{Salvage, Salvaged, SalvagedBlock};
pub use table::{
    Cursor, FilterPin, Find, HashIndex, LostRange, Opening, ReadError, ReadOptions, SpareMemory, Step,
    TableBlock, TableOptions, TableView, TableWriter, WriteError, WrittenTable,
};
