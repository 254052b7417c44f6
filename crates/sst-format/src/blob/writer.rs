//! Writes a blob file: values in, references out, at last the sealed image.

use alloc::vec::Vec;

use page_ecc::{BodyBuffer, SealOptions, SealedImage, Uid};

use super::error::BlobWriteError;
use super::head::Head;
use super::options::BlobOptions;
use super::reader::BlobReader;
use super::salt::Salter;
use super::{RECORD_ALIGN, RECORD_KIND};
use crate::codec::Compressor;
use crate::crypto::{BlockPlace, Encryptor, FileKey, KeyEpoch, KeyStamp};
use crate::entry::{BlobRef, SeqNo};
use crate::limits::VALUE_LEN_MAX;

/// Bytes that a body has room for at first.
const BODY_LEN_FIRST: usize = 1 << 20;

/// Lays records one after another.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlobOptions, BlobReader, BlobWriter, SeqNo};
/// let uid = Uid::new([7; 16]); // 128 random bits
/// let mut writer = BlobWriter::new(1, uid, BlobOptions::new())?;
/// let reference = writer.append(b"key", SeqNo::new(42), &[5; 100_000])?;
/// let image = writer.finish()?;
/// assert!(image.body().len() < 1000);
///
/// let entry = BlobReader::new(1, uid).read(image.body(), reference)?;
/// assert_eq!((&entry.key[..], entry.seq.get(), &entry.value[..]), (&b"key"[..], 42, &[5; 100_000][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BlobWriter {
    file: u64,
    uid: Uid,
    options: BlobOptions,
    salter: Salter,
    compressor: Compressor,
    encryptor: Option<Encryptor>,
    body: BodyBuffer,
    /// Key and stored value of the record at hand.
    payload: Vec<u8>,
}

impl BlobWriter {
    /// Begins the file whose uid has just been drawn.
    ///
    /// # Errors
    /// When the codec is not in this build.
    pub fn new(file: u64, uid: Uid, options: BlobOptions) -> Result<Self, BlobWriteError> {
        Ok(Self {
            file,
            uid,
            options,
            salter: Salter::new(uid),
            compressor: Compressor::new(options.codec, None)?,
            encryptor: None,
            body: BodyBuffer::with_capacity(BODY_LEN_FIRST),
            payload: Vec::new(),
        })
    }

    /// Encrypts every record under this file's key.
    ///
    /// # Panics
    /// When records stand in the file already.
    #[must_use]
    pub fn encrypted(mut self, key: FileKey) -> Self {
        assert!(self.body.is_empty(), "a blob file is encrypted from its first record on");
        self.encryptor = Some(key.into_encryptor());
        self
    }

    /// Adds a value; the reference is good once the file is.
    ///
    /// # Errors
    /// When key or value are too long, when the file is full, or when compression wants for memory. The file
    /// stays as it was.
    pub fn append(&mut self, key: &[u8], seq: SeqNo, value: &[u8]) -> Result<BlobRef, BlobWriteError> {
        let key_len = u16::try_from(key.len()).map_err(|_| BlobWriteError::KeyLen { len: key.len() })?;
        if value.len() > VALUE_LEN_MAX {
            return Err(BlobWriteError::ValueLen { len: value.len() });
        }
        let compressed = self.compressor.compress(value)?;
        let (tag_len, epoch) = match &self.encryptor {
            Some(encryptor) => (FileKey::TAG_LEN, encryptor.stamp().epoch()),
            None => (0, KeyEpoch::NONE),
        };
        let len = key.len() + compressed.bytes.len() + tag_len;
        let offset = (self.body.len() as u64).next_multiple_of(RECORD_ALIGN);
        let record_len = (len + Head::FRAME_LEN) as u64;
        let max = self.options.body_len_max;
        if offset + record_len > max && !self.body.is_empty() {
            return Err(BlobWriteError::Full { len: self.body.len() as u64, max });
        }
        let (raw_len, len) = (value.len() as u32, len as u32);
        let head = Head { codec: compressed.tag, epoch, seq, raw_len, len, key_len };
        self.payload.clear();
        self.payload.extend_from_slice(key);
        self.payload.extend_from_slice(compressed.bytes);
        self.append_record(offset, head);
        Ok(BlobRef { file: self.file, offset, len: record_len })
    }

    fn append_record(&mut self, offset: u64, head: Head) {
        let bytes = head.encode(self.salter, offset);
        if let Some(encryptor) = &mut self.encryptor {
            encryptor.encrypt(BlockPlace { offset, kind: RECORD_KIND }, &bytes, &mut self.payload);
        }
        assert!(self.payload.len() == head.len as usize);
        let checksum = self.salter.checksum_of_parts(offset, &bytes, &self.payload);
        let padding = offset as usize - self.body.len();
        self.body.extend_from_slice(&[0; RECORD_ALIGN as usize][..padding]);
        self.body.extend_from_slice(&bytes);
        self.body.extend_from_slice(&self.payload);
        self.body.extend_from_slice(&checksum.to_le_bytes());
    }

    /// Bytes of the body so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.body.len() as u64
    }

    /// Whether it has no record yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Seals the file.
    ///
    /// # Errors
    /// When no sealed file has this shape.
    pub fn finish(self) -> Result<SealedImage, BlobWriteError> {
        let seal = SealOptions::new(self.uid).scheme(self.options.scheme).kind(BlobReader::FILE_KIND);
        let seal = match &self.encryptor {
            Some(encryptor) => seal.field(KeyStamp::FIELD_TAG, &encryptor.stamp().encode())?,
            None => seal,
        };
        Ok(self.body.seal(&seal)?)
    }
}
