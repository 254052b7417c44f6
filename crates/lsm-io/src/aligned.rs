//! Memory that starts on a page, as direct reads demand, without unsafe code: a little too much is
//! allocated and the aligned part of it is lent out.

/// A buffer whose start and length are multiples of [`AlignedBuf::ALIGN`].
pub(crate) struct AlignedBuf {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuf {
    /// The largest block size of the devices in use; smaller ones divide it.
    pub(crate) const ALIGN: usize = 4096;

    /// A buffer of at least `len` bytes.
    pub(crate) fn new(len: usize) -> Self {
        let len = len.next_multiple_of(Self::ALIGN);
        let bytes = vec![0; len + Self::ALIGN];
        // A Vec that is never grown never moves, so the distance found here stays true. `align_offset` may
        // give up (and does, in interpreters); then the file system refuses and the caller falls back.
        let start = bytes.as_ptr().align_offset(Self::ALIGN).min(Self::ALIGN);
        Self { bytes, start, len }
    }

    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::AlignedBuf;

    #[test]
    fn every_length_is_rounded_up_and_starts_on_a_page() {
        for len in [1, 511, 4096, 4097, 1 << 20] {
            let mut buf = AlignedBuf::new(len);
            assert!(buf.as_mut().len() >= len);
            assert_eq!(buf.as_mut().len() % AlignedBuf::ALIGN, 0);
            if !cfg!(miri) {
                assert_eq!(buf.as_mut().as_ptr().align_offset(AlignedBuf::ALIGN), 0);
            }
        }
    }
}
