//! The bytes of a file as pages that clones share until one of them is written.
//!
//! **Invariant**: what a page holds behind the end of the file is zeros.

use std::sync::Arc;

const PAGE_LEN: usize = 4096;

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    len: usize,
    /// None is a page of zeros.
    pages: Vec<Option<Arc<[u8; PAGE_LEN]>>>,
}

impl Pages {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Copies what there is from `start` on, and says how much that was.
    pub(super) fn read(&self, start: usize, buf: &mut [u8]) -> usize {
        let len = self.len.saturating_sub(start).min(buf.len());
        let mut done = 0;
        while done < len {
            let (page, at) = ((start + done) / PAGE_LEN, (start + done) % PAGE_LEN);
            let part = (PAGE_LEN - at).min(len - done);
            let into = &mut buf[done..done + part];
            match &self.pages[page] {
                Some(page) => into.copy_from_slice(&page[at..at + part]),
                None => into.fill(0),
            }
            done += part;
        }
        len
    }

    /// Writes, and extends the file if need be.
    pub(super) fn write(&mut self, start: usize, bytes: &[u8]) {
        if self.len < start + bytes.len() {
            self.set_len(start + bytes.len());
        }
        let mut done = 0;
        while done < bytes.len() {
            let (page, at) = ((start + done) / PAGE_LEN, (start + done) % PAGE_LEN);
            let part = &bytes[done..bytes.len().min(done + PAGE_LEN - at)];
            let page = &mut self.pages[page];
            if page.is_some() || part.iter().any(|&byte| byte != 0) {
                let page = page.get_or_insert_with(|| Arc::new([0; PAGE_LEN]));
                Arc::make_mut(page)[at..at + part.len()].copy_from_slice(part);
            }
            done += part.len();
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len;
        self.pages.resize(len.div_ceil(PAGE_LEN), None);
        let within = len % PAGE_LEN;
        if let Some(Some(last)) = self.pages.last_mut().filter(|_| within > 0) {
            Arc::make_mut(last)[within..].fill(0);
        }
    }
}

impl From<&[u8]> for Pages {
    fn from(bytes: &[u8]) -> Self {
        let mut pages = Self::default();
        pages.write(0, bytes);
        pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn pages_do_what_a_vector_does_and_clones_go_their_own_way() {
        let mut rng = Rng::new(5);
        let (mut pages, mut plain) = (Pages::default(), Vec::new());
        for _ in 0..500 {
            let (old, old_plain) = (pages.clone(), plain.clone());
            let (start, len) = (rng.below(20_000) as usize, rng.below(9000) as usize);
            if rng.chance(1, 4) {
                pages.set_len(start);
                plain.resize(start, 0);
            } else {
                let bytes = vec![rng.below(3) as u8; len];
                pages.write(start, &bytes);
                plain.resize(plain.len().max(start + len), 0);
                plain[start..start + len].copy_from_slice(&bytes);
            }
            for (pages, plain) in [(&pages, &plain), (&old, &old_plain)] {
                let mut read = vec![9; 30_000];
                let len = pages.read(0, &mut read);
                assert_eq!((pages.len(), &read[..len]), (plain.len(), &plain[..]));
            }
        }
    }
}
