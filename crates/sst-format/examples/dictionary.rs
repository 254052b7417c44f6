//! Prints what a trained dictionary saves: `cargo run --release -p sst-format --example dictionary`.
//!
//! A table of 4 KiB blocks of small JSON records, sorted by key, each codec over the same blocks in the same
//! run. The dictionary is trained on every eighth block and its own bytes are counted in.

use std::time::{Duration, Instant};

use sst_format::{Codec, CodecTag, Compressor, Dictionary, RawLen, ZstdLevel, decompress};

#[path = "json/records.rs"]
mod records;

const BLOCKS: usize = 8192;
const DICTIONARY_LEN_MAX: usize = 16 << 10;

fn main() -> Result<(), sst_format::CodecError> {
    let blocks = records::blocks(BLOCKS, 1);
    let start = Instant::now();
    let samples: Vec<&Vec<u8>> = blocks.iter().step_by(8).collect();
    let dictionary = Dictionary::train(&samples, DICTIONARY_LEN_MAX)?;
    let trained = start.elapsed();
    println!(
        "{BLOCKS} blocks of 4 KiB; {} bytes of dictionary from {} blocks in {trained:.0?}",
        dictionary.as_bytes().len(),
        samples.len(),
    );
    println!("codec                   bytes/block  times smaller  compress us  decompress us");
    let level = ZstdLevel::default();
    for (name, codec) in [
        ("none", Codec::None),
        ("lz4", Codec::Lz4),
        ("zstd 3", Codec::Zstd { level }),
        ("zstd 3 with dictionary", Codec::ZstdDictionary { level }),
    ] {
        let outcome = measure(&blocks, codec, &dictionary)?;
        let bytes = outcome.bytes as f64 / BLOCKS as f64;
        println!(
            "{name:22} {bytes:12.1} {:14.2} {:12.2} {:14.2}",
            4096.0 / bytes,
            outcome.compressing.as_secs_f64() * 1e6 / BLOCKS as f64,
            outcome.decompressing.as_secs_f64() * 1e6 / BLOCKS as f64,
        );
    }
    Ok(())
}

struct Outcome {
    bytes: usize,
    compressing: Duration,
    decompressing: Duration,
}

fn measure(
    blocks: &[Vec<u8>],
    codec: Codec,
    dictionary: &Dictionary,
) -> Result<Outcome, sst_format::CodecError> {
    let mut compressor = Compressor::new(codec, Some(dictionary))?;
    let start = Instant::now();
    let mut compressed = Vec::with_capacity(blocks.len());
    for block in blocks {
        let done = compressor.compress(block)?;
        compressed.push((done.tag, done.bytes.to_vec()));
    }
    let compressing = start.elapsed();
    let start = Instant::now();
    for (block, (tag, bytes)) in blocks.iter().zip(&compressed) {
        let raw_len = RawLen::within(block.len() as u32, 1 << 20)?;
        assert!(decompress(*tag, bytes, raw_len, Some(dictionary))? == *block, "what went in comes out");
    }
    let decompressing = start.elapsed();
    let mut bytes = compressed.iter().map(|(_, bytes)| bytes.len()).sum();
    if compressed.iter().any(|(tag, _)| *tag == CodecTag::ZstdDictionary) {
        bytes += dictionary.as_bytes().len();
    }
    Ok(Outcome { bytes, compressing, decompressing })
}
