//! Dictionaries from outside: what they save on small blocks, and that a wrong one never gives wrong bytes.
#![cfg(feature = "zstd")]

use sst_format::{Codec, CodecTag, Compressor, Dictionary, RawLen, ZstdLevel, decompress};

#[path = "../examples/json/records.rs"]
mod records;

const LEVEL: ZstdLevel = ZstdLevel::MIN;

fn raw_len(raw: &[u8]) -> RawLen {
    RawLen::within(raw.len() as u32, 1 << 20).expect("blocks of 4 KiB are within a MiB")
}

/// Bytes of all blocks, each proven to come back.
fn compressed_len(blocks: &[Vec<u8>], codec: Codec, dictionary: &Dictionary) -> usize {
    let mut compressor = Compressor::new(codec, Some(dictionary)).expect("a build with zstd");
    let one = |block: &Vec<u8>| {
        let done = compressor.compress(block).expect("a block compresses");
        let back = decompress(done.tag, done.bytes, raw_len(block), Some(dictionary));
        assert_eq!(back.as_ref(), Ok(block));
        done.bytes.len()
    };
    blocks.iter().map(one).sum()
}

#[test]
fn small_json_records_take_at_least_half_as_much_again_without_a_dictionary() {
    let blocks = records::blocks(4096, 1);
    let samples: Vec<_> = blocks.iter().step_by(8).collect();
    let dictionary = Dictionary::train(&samples, 16 << 10).unwrap();
    let level = ZstdLevel::default();
    let with = compressed_len(&blocks, Codec::ZstdDictionary { level }, &dictionary);
    let without = compressed_len(&blocks, Codec::Zstd { level }, &dictionary);
    let with = with + dictionary.as_bytes().len();
    assert!(with * 3 <= without * 2, "{with} bytes with, {without} without");
}

#[test]
fn the_same_samples_give_the_same_dictionary() {
    let blocks = records::blocks(512, 2);
    let train = || Dictionary::train(&blocks, 4096).unwrap();
    assert_eq!(train().as_bytes(), train().as_bytes());
    assert!(train().as_bytes().len() <= 4096);
}

#[test]
fn a_frame_opens_only_with_its_own_dictionary() {
    let dictionaries: Vec<Dictionary> =
        [3, 4].map(|seed| Dictionary::train(&records::blocks(512, seed), 4096).unwrap()).into();
    let codec = Codec::ZstdDictionary { level: LEVEL };
    let mut compressor = Compressor::new(codec, Some(&dictionaries[0])).unwrap();
    let block = &records::blocks(1, 5)[0];
    let done = compressor.compress(block).unwrap();
    assert_eq!(done.tag, CodecTag::ZstdDictionary);
    let open = |tag, dictionary| decompress(tag, done.bytes, raw_len(block), dictionary);
    assert_eq!(open(done.tag, Some(&dictionaries[0])).as_ref(), Ok(block));
    assert!(open(done.tag, Some(&dictionaries[1])).is_err());
    assert!(open(done.tag, None).is_err());
    assert!(open(CodecTag::Zstd, None).is_err());
}

#[test]
fn without_a_dictionary_the_codec_is_plain_zstd() {
    let block = &records::blocks(1, 5)[0];
    let [with, plain] = [Codec::ZstdDictionary { level: LEVEL }, Codec::Zstd { level: LEVEL }].map(|codec| {
        let mut compressor = Compressor::new(codec, None).unwrap();
        let done = compressor.compress(block).unwrap();
        (done.tag, done.bytes.to_vec())
    });
    assert_eq!(with, plain);
    assert_eq!(plain.0, CodecTag::Zstd);
}

#[test]
fn garbled_dictionaries_are_an_error_or_give_an_error_or_the_length() {
    let dictionary = Dictionary::train(&records::blocks(512, 6), 2048).unwrap();
    let codec = Codec::ZstdDictionary { level: LEVEL };
    let mut compressor = Compressor::new(codec, Some(&dictionary)).unwrap();
    let block = &records::blocks(1, 7)[0];
    let done = compressor.compress(block).unwrap();
    for at in 0..dictionary.as_bytes().len() {
        let mut bytes = dictionary.as_bytes().to_vec();
        bytes[at] ^= 1 << (at % 8);
        let Ok(garbled) = Dictionary::parse(bytes) else { continue };
        if let Ok(raw) = decompress(done.tag, done.bytes, raw_len(block), Some(&garbled)) {
            assert_eq!(raw.len(), block.len());
        }
    }
}
