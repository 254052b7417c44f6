//! Any bytes as compressed ones.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sst_format::{CodecTag, Dictionary, FilterView, RawLen, decompress};

fuzz_target!(|data: &[u8]| {
    let Some((&[tag, low, high], bytes)) = data.split_first_chunk() else { return };
    let Ok(raw_len) = RawLen::within(u32::from_le_bytes([low, high, 0, 0]), 1 << 20) else { return };
    if let Ok(tag) = CodecTag::parse(tag % 4)
        && let Ok(raw) = decompress(tag, bytes, raw_len, None)
    {
        assert_eq!(raw.len(), raw_len.get() as usize);
    }
    let _ = Dictionary::parse(bytes.to_vec());
    let _ = FilterView::parse(bytes);
});
