//! Numbers and byte strings one behind the other, as everything in a manifest is written.
//!
//! Invariant: a length that was read never sizes anything before that many bytes are known to be there.

use page_ecc::Uid;

/// Why bytes of a manifest, proven to be those once written, say nothing this release understands.
///
/// ```
/// let error = lsm_core::FieldError::Cut { at: 3, field: "tree" };
/// assert!(error.to_string().contains("end within their tree"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// They end early.
    #[error("the bytes end within their {field}, at byte {at}")]
    Cut {
        /// Where the field starts.
        at: usize,
        /// Which.
        field: &'static str,
    },
    /// A field holds what it cannot.
    #[error("the bytes hold no possible {field} at byte {at}")]
    Value {
        /// Where the field starts.
        at: usize,
        /// Which.
        field: &'static str,
    },
    /// A change of a kind that must not be passed over.
    #[error("a change of kind {tag:#04x} at byte {at} is not known to this release; use a newer one")]
    UnknownChange {
        /// Where it starts.
        at: usize,
        /// Its kind.
        tag: u8,
    },
    /// More bytes than the fields take.
    #[error("bytes are left behind the last field, from byte {at} on")]
    Rest {
        /// Where they start.
        at: usize,
    },
}

/// Takes fields off bytes.
#[derive(Debug)]
pub(crate) struct FieldReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> FieldReader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Where the next field starts.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(crate) fn slice(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], FieldError> {
        let rest = &self.bytes[self.at..];
        let slice = rest.get(..len).ok_or(FieldError::Cut { at: self.at, field })?;
        self.at += len;
        Ok(slice)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FieldError> {
        let at = self.at;
        self.slice(N, field)?.try_into().map_err(|_| FieldError::Cut { at, field })
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, FieldError> {
        Ok(u8::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, FieldError> {
        Ok(u16::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, FieldError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, FieldError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u128(&mut self, field: &'static str) -> Result<u128, FieldError> {
        Ok(u128::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn uid(&mut self, field: &'static str) -> Result<Uid, FieldError> {
        Ok(Uid::new(self.array(field)?))
    }

    /// A byte string behind its u32 length.
    pub(crate) fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], FieldError> {
        let at = self.at;
        let len = self.u32(field)?;
        let len = usize::try_from(len).map_err(|_| FieldError::Cut { at, field })?;
        self.slice(len, field)
    }

    /// A text behind its u32 length.
    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a str, FieldError> {
        let at = self.at;
        std::str::from_utf8(self.bytes(field)?).map_err(|_| FieldError::Value { at, field })
    }

    pub(crate) fn finish(self) -> Result<(), FieldError> {
        if self.is_at_end() { Ok(()) } else { Err(FieldError::Rest { at: self.at }) }
    }
}

/// Puts fields one behind the other.
#[derive(Debug, Default)]
pub(crate) struct FieldWriter(Vec<u8>);

impl FieldWriter {
    /// As they are: numbers come as their little-endian bytes.
    pub(crate) fn put(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    /// A byte string behind its u32 length.
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let len = u32::try_from(bytes.len()).expect("keys, names and changes are shorter than 4 GiB");
        self.put(len.to_le_bytes()).put(bytes)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
