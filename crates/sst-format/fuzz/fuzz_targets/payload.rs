//! Any bytes as the payload of a block that proves itself: what decoders meet behind the checksum.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use page_ecc::Uid;
use sst_format::{MemoryTable, ReadOptions, Salvage, Salvaged, SeqNo};

#[path = "../../tests/oracle/forge.rs"]
mod forge;

const UID: Uid = Uid::new([7; 16]);

fuzz_target!(|data: &[u8]| {
    let Some((&[kind, codec, lie], payload)) = data.split_first_chunk() else { return };
    let raw_len = payload.len() as u32 * u32::from(lie);
    let (block, _) = match lie {
        0 => forge::block(UID, 0, kind % 10, payload),
        _ => forge::packed(UID, 0, kind % 10, codec % 5, raw_len, payload),
    };
    let body = Bytes::from(block);
    let salvaged = Salvage::new(UID, ReadOptions::new()).walk(&body, &[]);
    let Ok(view) = salvaged.and_then(Salvaged::into_view) else { return };
    let table = MemoryTable::new(view, body);
    let _ = table.get(payload.get(..4).unwrap_or_default(), SeqNo::MAX);
    let mut cursor = table.view().cursor();
    let mut steps = 0;
    let _ = cursor.seek_first();
    while table.drive(&mut cursor).is_ok() && cursor.entry().is_ok_and(|entry| entry.is_some()) {
        steps += 1;
        assert!(steps <= payload.len() * 300, "no block holds so many entries");
        let _ = cursor.move_next();
    }
});
