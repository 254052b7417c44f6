//! How far a long run is: a bar with rate and remaining time, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    pub(crate) fn shown(doing: &'static str, bytes: u64) -> Self {
        const TEMPLATE: &str =
            "{msg} [{bar:30}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
        let bar = ProgressBar::new(bytes).with_style(style.progress_chars("=> "));
        bar.set_message(doing);
        Self(bar)
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    pub(crate) fn finish(self) {
        self.0.finish_and_clear();
    }
}
