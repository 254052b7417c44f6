//! `scrub`: reads and checks every page of a store, and heals what it finds.

use std::{
    fmt::Write as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Args;
use resilver::{
    Background, Creation, Db, Found, HealMode, HealReport, Options, PatrolOptions, ScrubAccess, ScrubControl,
    ScrubReport, ScrubScope, ScrubStart, ScrubStatus, Trouble,
};
use serde_json::{Value, json};

use super::heal;
use crate::{
    access::Store,
    failure::Failure,
    report::{Exit, Report},
    size::Bytes,
    voice::Voice,
};

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(100);

#[derive(Args, Debug)]
pub(crate) struct ScrubOptions {
    /// Reads at most so much a second, such as 100M or 100MB/s; as fast as it can if not said.
    #[arg(long)]
    rate: Option<String>,
    /// How many files are read at once.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Heals and notes nothing.
    #[arg(long)]
    read_only: bool,
    /// Reads only pages that are known to be wrong.
    #[arg(long)]
    errors_only: bool,
    /// Goes on where the last one was stopped.
    #[arg(long)]
    resume: bool,
    /// Says when files were last read, and reads nothing.
    #[arg(long, conflicts_with_all = ["read_only", "errors_only", "resume"])]
    status: bool,
}

/// What a scrub found, and what healing came to.
struct Scrubbed {
    report: ScrubReport,
    healed: Option<HealReport>,
    hints: usize,
}

pub(crate) fn scrub(store: &Store, options: &ScrubOptions, voice: &Voice) -> Result<Report, Failure> {
    let path = store.path()?;
    if options.status {
        let db = Db::open_read_only(path, Options::new())?;
        return Ok(status_report(&db.scrub_status()?));
    }
    let mut patrol = PatrolOptions::new().bytes_per_sec(0).parallelism(options.parallel.into());
    if let Some(rate) = &options.rate {
        let word = rate.trim_end_matches("/s");
        let bytes: Bytes =
            word.parse().map_err(|_| Failure::Usage(format!("{rate:?} is no rate; write 100M")))?;
        patrol = patrol.bytes_per_sec(bytes.0);
    }
    if options.errors_only {
        patrol = patrol.scope(ScrubScope::KnownDamage);
    }
    let start = if options.resume { ScrubStart::Resume } else { ScrubStart::Over };
    let patrol = patrol.start(start);
    match options.read_only {
        true => look_only(path, &patrol.access(ScrubAccess::ReadOnly), voice),
        false => scrub_store(path, Options::new(), &patrol, HealMode::InPlace, voice),
    }
}

fn look_only(path: &Path, patrol: &PatrolOptions, voice: &Voice) -> Result<Report, Failure> {
    let db = Db::open_read_only(path, Options::new())?;
    let report = watched(&db, patrol, voice)?;
    Ok(Scrubbed { report, healed: None, hints: 0 }.into())
}

/// Scrubs the store at `dir`, and heals what is known to be wrong by then.
pub(crate) fn scrub_store(
    dir: &Path,
    options: Options,
    patrol: &PatrolOptions,
    mode: HealMode,
    voice: &Voice,
) -> Result<Report, Failure> {
    // Nobody else heals meanwhile, so that the report tells of everything.
    let db = options.creation(Creation::Never).background(Background::Inline).open(dir)?;
    let report = watched(&db, patrol, voice)?;
    let healed = Some(db.heal(mode)?);
    let hints = db.hints().len();
    db.close()?;
    Ok(Scrubbed { report, healed, hints }.into())
}

/// Scrubs with progress on a terminal.
fn watched(db: &Db, patrol: &PatrolOptions, voice: &Voice) -> Result<ScrubReport, Failure> {
    let (control, is_done) = (ScrubControl::new(), AtomicBool::new(false));
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut bar, mut shown) = (None, 0);
            while !is_done.load(Ordering::Acquire) {
                let progress = control.progress();
                if progress.bytes_total > 0 {
                    let bar = bar.get_or_insert_with(|| voice.progress("scrubbing", progress.bytes_total));
                    bar.add(progress.bytes_done.saturating_sub(shown));
                    shown = progress.bytes_done.max(shown);
                }
                std::thread::sleep(TICK.min(Duration::from_millis(20)));
            }
            if let Some(bar) = bar {
                bar.finish();
            }
        });
        let report = db.scrub(patrol, &control);
        is_done.store(true, Ordering::Release);
        report
    });
    Ok(report?)
}

impl From<Scrubbed> for Report {
    fn from(scrubbed: Scrubbed) -> Self {
        let Scrubbed { report, healed, .. } = &scrubbed;
        let is_healed = healed.as_ref().is_none_or(HealReport::is_whole);
        let did_heal = healed.as_ref().is_some_and(|healed| !healed.files.is_empty());
        let exit = match () {
            () if !report.is_ok() => Exit::Lost,
            () if !is_healed => Exit::Failed,
            () if did_heal || !report.is_clean() => Exit::Damage,
            () => Exit::Fine,
        };
        Self { exit, text: scrubbed.text(), json: scrubbed.json() }
    }
}

impl Scrubbed {
    fn text(&self) -> String {
        let mut text = String::new();
        // A string takes everything.
        for found in &self.report.found {
            let _ = writeln!(text, "{}: {}", found.finding, found.action);
        }
        if self.report.found_unlisted > 0 {
            let _ = writeln!(text, "and {} more findings", self.report.found_unlisted);
        }
        let rate = Bytes(self.report.bytes_per_sec());
        let Self { report, .. } = self;
        let _ = writeln!(
            text,
            "{} files, {} pages, {} read in {:.1} s ({rate}/s): {}",
            report.files,
            report.pages,
            Bytes(report.bytes),
            report.duration.as_secs_f64(),
            verdict(report),
        );
        if let Some(healed) =
            self.healed.as_ref().filter(|healed| !healed.files.is_empty() || !healed.failed.is_empty())
        {
            text.push_str(&heal::text(healed));
        }
        text
    }

    fn json(&self) -> Value {
        let Self { report, healed, hints } = self;
        let evidence = &report.evidence;
        json!({
            "files": report.files, "pages": report.pages, "bytes": report.bytes,
            "seconds": report.duration.as_secs_f64(), "bytes_per_sec": report.bytes_per_sec(),
            "is_ok": report.is_ok(), "is_complete": report.is_complete(),
            "transient": evidence.transient, "corrected": evidence.corrected, "copied": evidence.copied,
            "rebuilt": evidence.rebuilt, "supplied": evidence.supplied, "lost": evidence.lost,
            "redundancy_damaged": report.redundancy_damaged, "files_unopened": report.files_unopened,
            "files_scheduled": report.files_scheduled,
            "findings": report.found.iter().map(finding).collect::<Vec<_>>(),
            "findings_unlisted": report.found_unlisted,
            "heal": healed.as_ref().map(|healed| heal::json(healed, *hints)),
        })
    }
}

fn verdict(report: &ScrubReport) -> String {
    let evidence = &report.evidence;
    match (report.is_ok(), report.is_clean()) {
        (true, true) => "every page is right".into(),
        (true, false) => format!("{} pages wrong, nothing lost", evidence.healable()),
        (false, _) => format!(
            "{} pages LOST, {} files do not open, {} pages can be healed",
            evidence.lost,
            report.files_unopened,
            evidence.healable()
        ),
    }
}

fn finding(found: &Found) -> Value {
    let finding = &found.finding;
    let (pages, lost) = match &finding.trouble {
        Trouble::Pages { pages, evidence, .. } => {
            (json!([pages.start.get(), pages.end.get() - 1]), evidence.lost)
        }
        Trouble::Unopened(_) => (Value::Null, 0),
    };
    json!({
        "file": finding.file.file.get(), "kind": finding.file.kind.to_string(), "tree": finding.file.tree.get(),
        "level": finding.level.map(|level| level.get()), "pages": pages, "lost": lost,
        "what": finding.to_string(), "action": found.action.to_string(),
    })
}

fn status_report(status: &ScrubStatus) -> Report {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let oldest = status.oldest_clean.map(|clean| now.saturating_sub(clean).as_secs());
    let mut text = format!(
        "{} files ({}), {} never found clean\n",
        status.files,
        Bytes(status.bytes),
        status.files_never_clean
    );
    // A string takes everything.
    if let Some(secs) = oldest {
        let _ =
            writeln!(text, "the oldest clean pass of the others was {:.1} hours ago", secs as f64 / 3600.0);
    }
    if status.is_under_way {
        text.push_str("a pass is under way; `resilver scrub --resume` goes on with it\n");
    }
    let json = json!({
        "files": status.files, "bytes": status.bytes, "files_never_clean": status.files_never_clean,
        "oldest_clean_secs_ago": oldest, "is_under_way": status.is_under_way,
    });
    Report { exit: Exit::Fine, text, json }
}
