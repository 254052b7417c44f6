//! `verify` of a store: every page of every file, and nothing changed.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, sync::Arc};

use resilver::{BadPage, Options, PageState, Verified};
use serde_json::{Value, json};

use super::passes::Passes;
use crate::{
    failure::Failure,
    report::{Exit, Report},
    size::Bytes,
    voice::Voice,
};

/// Looks at every page of the store at `dir`.
pub(crate) fn verify(dir: &Path, voice: &Voice) -> Result<Report, Failure> {
    let verified = verify_store(dir, &Options::new(), voice)?;
    Ok(Report { exit: exit(&verified), text: text(dir, &verified), json: json(&verified) })
}

/// Looks at every page of the store at `dir`, with progress on a terminal.
pub(crate) fn verify_store(dir: &Path, options: &Options, voice: &Voice) -> Result<Verified, Failure> {
    let mut passes = Passes::new("verifying", voice);
    let verified = resilver::verify(dir, options, |progress| passes.tell(progress));
    passes.end();
    Ok(verified?)
}

pub(crate) fn exit(verified: &Verified) -> Exit {
    match (verified.is_ok(), verified.bad.is_empty()) {
        (true, true) => Exit::Fine,
        (true, false) => Exit::Damage,
        (false, _) => Exit::Lost,
    }
}

fn text(dir: &Path, verified: &Verified) -> String {
    let mut text = String::new();
    let (correctable, lost) = (verified.count(PageState::Correctable), verified.count(PageState::Lost));
    // A string takes everything.
    for (file, bad) in by_file(verified) {
        for (state, word) in [(PageState::Correctable, "correctable"), (PageState::Lost, "LOST")] {
            let pages: Vec<_> = bad.iter().filter(|bad| bad.state == state).map(|bad| bad.page).collect();
            if !pages.is_empty() {
                let _ = writeln!(text, "{file} ({}): {word}: {}", bad[0].kind, ranges(&pages));
            }
        }
    }
    for loss in &verified.log_losses {
        let _ = writeln!(text, "the log: {loss}");
    }
    let _ = writeln!(
        text,
        "{}: {} files, {} pages ({}) looked at: {}",
        dir.display(),
        verified.files,
        verified.pages,
        Bytes(verified.bytes_read),
        match (correctable, lost, verified.log_losses.is_empty()) {
            (0, 0, true) => "every page is right".to_owned(),
            (bad, 0, true) => format!(
                "{bad} are wrong and nothing is lost; `resilver scrub --db {}` heals them",
                dir.display()
            ),
            (bad, lost, _) => format!("{lost} are lost, {bad} others can be healed"),
        }
    );
    text
}

fn by_file(verified: &Verified) -> BTreeMap<&Arc<str>, Vec<&BadPage>> {
    let mut files = BTreeMap::<_, Vec<_>>::new();
    for bad in &verified.bad {
        files.entry(&bad.file).or_default().push(bad);
    }
    files
}

/// Page numbers as few ranges.
fn ranges(pages: &[u64]) -> String {
    let mut pages = pages.to_vec();
    pages.sort_unstable();
    let ranges = pages.iter().map(|page| resilver::PageNo::new(*page)).collect::<resilver::PageRanges>();
    let word = if pages.len() == 1 { "page" } else { "pages" };
    format!("{word} {ranges}")
}

/// What `drill verify` prints.
pub(crate) fn json(verified: &Verified) -> Value {
    let bad = verified.bad.iter().map(|bad| {
        let keys = bad.keys.as_ref().map(|(low, high)| json!([shown(low), shown(high)]));
        let state = match bad.state {
            PageState::Correctable => "correctable",
            PageState::Lost => "lost",
        };
        json!({
            "file": &*bad.file, "kind": bad.kind.to_string(), "page": bad.page, "state": state, "keys": keys,
        })
    });
    let losses = verified.log_losses.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "files": verified.files, "pages": verified.pages, "bytes_read": verified.bytes_read,
        "bad": bad.collect::<Vec<_>>(),
        "correctable": verified.count(PageState::Correctable), "lost": verified.count(PageState::Lost),
        "log_losses": losses,
    })
}

/// A key as a word, escaped as `drill` does.
pub(crate) fn shown(key: &[u8]) -> String {
    let mut word = String::new();
    crate::drill::escape(&mut word, key);
    word
}
