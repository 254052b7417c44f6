//! Blob files to judge, and every way in which this build writes them.

use std::ops::Range;

use page_ecc::{SealedImage, Uid};
use sst_format::{
    BlobEntry, BlobOptions, BlobReader, BlobRef, BlobWriter, Codec, EpochKey, FileKey, KeyEpoch, SeqNo,
    Walked,
};

pub(crate) const FILE: u64 = 7;
pub(crate) const UID: Uid = Uid::new([7; 16]);

/// Which of the build's ways a file is written in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cover {
    Plain,
    Encrypted,
}

pub(crate) const COVERS: &[Cover] =
    if cfg!(feature = "encryption") { &[Cover::Plain, Cover::Encrypted] } else { &[Cover::Plain] };

pub(crate) fn key_of(uid: Uid, epoch: u16) -> FileKey {
    let epoch_key = EpochKey::new([epoch as u8; 32]);
    FileKey::derive(&epoch_key, KeyEpoch::new(epoch), uid).expect("a build with encryption")
}

impl Cover {
    pub(crate) fn writer(self, uid: Uid, options: BlobOptions) -> BlobWriter {
        let writer = BlobWriter::new(FILE, uid, options).expect("LZ4 is in every build");
        match self {
            Self::Plain => writer,
            Self::Encrypted => writer.encrypted(key_of(uid, 1)),
        }
    }

    pub(crate) fn reader(self, uid: Uid) -> BlobReader {
        let reader = BlobReader::new(FILE, uid);
        match self {
            Self::Plain => reader,
            Self::Encrypted => reader.with_key(key_of(uid, 1)),
        }
    }
}

/// A file and what was put into it.
pub(crate) struct Sample {
    pub(crate) image: SealedImage,
    pub(crate) entries: Vec<(BlobRef, BlobEntry)>,
}

pub(crate) fn write(cover: Cover, uid: Uid, codec: Codec, values: &[(Vec<u8>, Vec<u8>)]) -> Sample {
    let mut writer = cover.writer(uid, BlobOptions::new().codec(codec));
    let mut append = |(at, (key, value)): (usize, &(Vec<u8>, Vec<u8>))| {
        let seq = SeqNo::new(at as u64);
        let reference = writer.append(key, seq, value).expect("a small file has room");
        (reference, BlobEntry { key: key.clone(), seq, value: value.clone() })
    };
    let entries = values.iter().enumerate().map(&mut append).collect();
    Sample { image: writer.finish().expect("a small file has a shape"), entries }
}

/// Keys and values of several lengths; every second value compresses.
pub(crate) fn values() -> Vec<(Vec<u8>, Vec<u8>)> {
    let noise = |len: usize| {
        (0..len as u64).map(|at| (at.wrapping_mul(at + 7).wrapping_mul(0x9E37_79B9) >> 21) as u8)
    };
    let value =
        |at: usize| if at.is_multiple_of(2) { vec![at as u8; 90 + at] } else { noise(40 + at).collect() };
    let mut values: Vec<_> = (0..8).map(|at| (format!("key {at}").into_bytes(), value(at))).collect();
    values.push((Vec::new(), Vec::new()));
    values.push((vec![b'k'; 300], b"short".to_vec()));
    values
}

/// Every record that a walk finds, opened, and every gap.
pub(crate) fn walk(
    reader: &BlobReader,
    body: &[u8],
    bad: &[Range<u64>],
) -> (Vec<(BlobRef, BlobEntry)>, Vec<Range<u64>>) {
    let (mut found, mut gaps, mut at) = (Vec::new(), Vec::new(), 0);
    for walked in reader.walk(body, bad) {
        let span = match walked {
            Walked::Gap(range) => {
                gaps.push(range.clone());
                range
            }
            Walked::Record(record) => {
                let entry = record.open(reader.key()).expect("what a walk finds opens");
                let reference = reader.reference(record.addr());
                found.push((reference, entry));
                reference.span()
            }
        };
        assert!(at <= span.start && span.start < span.end && span.end <= body.len() as u64, "{span:?}");
        at = span.end;
    }
    (found, gaps)
}
