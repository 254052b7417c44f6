//! `verify`: looks at every page and changes nothing.

use page_ecc::PAGE_LEN;

use crate::args::VerifyOptions;
use crate::failure::Failure;
use crate::files::Access;
use crate::opening::{self, Opened};
use crate::report::Report;
use crate::spans::Spans;
use crate::survey::{Look, Survey, survey};
use crate::verdict::Verdict;
use crate::voice::Voice;

pub(crate) fn run(options: &VerifyOptions, voice: &Voice) -> Result<Report, Failure> {
    let opened = opening::open(&options.file, options.seal.as_deref(), Access::Read)?;
    let found = look_at_all(&opened, 0, "verifying", voice)?;
    let verdict = Verdict::new(&opened, &found);
    Ok(Report { exit: verdict.exit(), text: verdict.text(), json: verdict.json() })
}

/// Looks at every page of file and seal, which must not change meanwhile.
///
/// # Errors
/// When they did.
pub(crate) fn look_at_all(
    opened: &Opened,
    patch_bytes: u64,
    doing: &'static str,
    voice: &Voice,
) -> Result<Survey, Failure> {
    let pair = &opened.pair;
    let total = pair.geometry().total_pages();
    let progress = voice.progress(doing, total.saturating_mul(PAGE_LEN as u64));
    let found = survey(pair, &Spans::first(total), Look { always: None, patch_bytes }, &progress);
    progress.finish();
    for half in [&pair.file, &pair.seal].into_iter().flatten() {
        half.file.check_unchanged(half.state)?;
    }
    Ok(found)
}
