//! A table whose bytes were changed: right answers or errors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use page_ecc::Uid;
use sst_format::{Entry, MemoryTable, ReadOptions, SeqNo, TableOptions, TableWriter};

const UID: Uid = Uid::new([7; 16]);

fuzz_target!(|edits: Vec<(u16, u8)>| {
    let mut writer = TableWriter::new(UID, TableOptions::new().block_bytes(200)).expect("valid options");
    for number in 0..50u32 {
        let entry = Entry { key: &number.to_be_bytes(), ..Entry::put(b"", SeqNo::new(1), b"value") };
        writer.add(entry).expect("keys ascend");
    }
    let mut body = writer.finish().expect("a small table can be sealed").image.body().to_vec();
    for (at, byte) in edits {
        let at = usize::from(at) % body.len();
        body[at] = byte;
    }
    let Ok(table) = MemoryTable::open_body(UID, body.into(), ReadOptions::new()) else { return };
    for number in 0..60u32 {
        if let Ok(found) = table.get(&number.to_be_bytes(), SeqNo::MAX) {
            assert_eq!(found.map(|found| found.value), (number < 50).then(|| "value".into()));
        }
    }
});
