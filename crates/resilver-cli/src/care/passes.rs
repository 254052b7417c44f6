//! Progress over passes of a long look at a store, one bar after the other, on a terminal only.

use crate::{progress::Progress, voice::Voice};

/// The passes of one command.
pub(super) struct Passes<'a> {
    doing: &'static str,
    voice: &'a Voice,
    bar: Option<Progress>,
    done: u64,
}

impl<'a> Passes<'a> {
    pub(super) const fn new(doing: &'static str, voice: &'a Voice) -> Self {
        Self { doing, voice, bar: None, done: 0 }
    }

    /// Shows how far the pass is; less than before is the next one.
    pub(super) fn tell(&mut self, progress: resilver::Progress) {
        if progress.bytes_total == 0 {
            return;
        }
        if progress.bytes_done < self.done {
            self.end();
        }
        let bar = self.bar.get_or_insert_with(|| self.voice.progress(self.doing, progress.bytes_total));
        bar.add(progress.bytes_done - self.done);
        self.done = progress.bytes_done;
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
        self.done = 0;
    }
}
