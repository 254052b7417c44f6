//! Any bytes as a block, as a body, and as what is left of one.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use page_ecc::Uid;
use sst_format::{BlockSpan, FileSalt, MemoryTable, RawBlock, ReadOptions, Salvage, TableRoot};

const UID: Uid = Uid::new([7; 16]);

fuzz_target!(|data: &[u8]| {
    let body = Bytes::copy_from_slice(data);
    let span = BlockSpan { offset: 0, len: data.len() as u32 };
    let _ = RawBlock::new(body.clone()).verify(FileSalt::of(UID).at(span));
    let _ = TableRoot::decode(data);
    let _ = MemoryTable::open_body(UID, body.clone(), ReadOptions::new());
    let salvaged = Salvage::new(UID, ReadOptions::new()).walk(&body, &[]);
    let _ = salvaged.and_then(sst_format::Salvaged::into_view);
});
