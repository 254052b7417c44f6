//! A file sealed as a whole, which climbs the ladder.

use page_ecc::{Descriptor, InnerCode, Ladder, PAGE_LEN, Page, PageNo, Region, Scheme, SealOptions, Uid};

use crate::damage::{Damage, Hurt, Random};
use crate::{BODY_LEN, Patient, Verdict};

pub(crate) struct SealedFile {
    name: [String; 2],
    descriptor: Descriptor,
    original: Vec<u8>,
    file: Vec<u8>,
}

impl SealedFile {
    pub(crate) fn new(name: &str, scheme: Scheme, inner: InnerCode, seed: u64) -> Self {
        let mut body = vec![0; BODY_LEN];
        Random::new(seed).fill(&mut body);
        let mut uid = [0; 16];
        Random::new(!seed).fill(&mut uid);
        let options = SealOptions::new(Uid::new(uid)).scheme(scheme).inner(inner);
        let image = options.seal(&body).expect("the body can be sealed");
        let second = match (inner, scheme) {
            (InnerCode::Hsiao, _) => "+ Hsiao".to_owned(),
            (_, Scheme::Xor { data }) => format!("{data}+1"),
            (_, Scheme::ChecksumOnly) => "only".to_owned(),
            (InnerCode::None, scheme) => scheme.to_string(),
        };
        let descriptor = image.descriptor().clone();
        let original = image.into_bytes();
        Self { name: [name.to_owned(), second], descriptor, file: original.clone(), original }
    }

    /// Heals what can be healed, knowing nothing but the file; says which pages are lost.
    fn recover(&mut self, hurt: &Hurt) -> Option<Vec<u64>> {
        let file = &self.file[..hurt.len];
        let pages = file.as_chunks::<PAGE_LEN>().0;
        let ends: Vec<&Page> = [pages.first(), pages.last()].into_iter().flatten().collect();
        let found = Descriptor::find(&ends).ok()?;
        let mut ladder = found
            .into_iter()
            .map(|descriptor| Ladder::new(descriptor, file))
            .find_map(|mut ladder| ladder.is_borne_out().then_some(ladder))?;
        let (first, last) = (hurt.touched.first()?.start, hurt.touched.last()?.end);
        let page = |at: usize| PageNo::new((at / PAGE_LEN) as u64);
        let examination = ladder.examine(page(first)..page(last - 1).plus(1));
        for patch in &examination.patches {
            let at = patch.page.offset() as usize;
            self.file[at..at + PAGE_LEN].copy_from_slice(&patch.bytes[..]);
        }
        Some(examination.lost().iter().flat_map(|lost| lost.start.get()..lost.end.get()).collect())
    }

    fn compare(&self, hurt: &Hurt, lost: &[u64]) -> Verdict {
        let body = self.descriptor.geometry().region(Region::Body);
        let mut verdict = Verdict::Survived;
        for range in &hurt.touched {
            for page in range.start / PAGE_LEN..range.end.div_ceil(PAGE_LEN) {
                let bytes = page * PAGE_LEN..(page + 1) * PAGE_LEN;
                let page = page as u64;
                if lost.binary_search(&page).is_ok() {
                    if body.contains(&PageNo::new(page)) {
                        verdict = Verdict::Lost;
                    }
                } else if self.file[bytes.clone()] != self.original[bytes] {
                    return Verdict::Wrong;
                }
            }
        }
        verdict
    }
}

impl Patient for SealedFile {
    fn name(&self) -> [String; 2] {
        self.name.clone()
    }

    fn cost(&self) -> f64 {
        self.descriptor.geometry().overhead()
    }

    fn promises(&self, damage: Damage) -> bool {
        let is_rebuilt = |pages| pages as u64 <= self.descriptor.geometry().parity_pages();
        matches!(damage, Damage::Flips(1) | Damage::Head | Damage::Tail)
            || damage.pages_touched().is_some_and(is_rebuilt)
    }

    fn trial(&mut self, damage: Damage, random: &mut Random) -> Verdict {
        let hurt = damage.strike(&mut self.file, random);
        let verdict = match self.recover(&hurt) {
            Some(lost) => self.compare(&hurt, &lost),
            None => Verdict::Lost,
        };
        for range in &hurt.touched {
            let pages = range.start / PAGE_LEN * PAGE_LEN..range.end.next_multiple_of(PAGE_LEN);
            self.file[pages.clone()].copy_from_slice(&self.original[pages]);
        }
        verdict
    }
}
