//! `heal`: puts right what is known to be wrong.

use std::{fmt::Write as _, path::Path};

use clap::{Args, ValueEnum};
use resilver::{Background, Creation, Db, HealMode, HealReport, Healing, Options};
use serde_json::{Value, json};

use crate::{
    access::Store,
    failure::Failure,
    report::{Exit, Report},
};

#[derive(Args, Debug)]
pub(crate) struct HealOptions {
    /// Where tables stand, or by writing them anew.
    #[arg(long, value_enum, default_value = "in-place")]
    pub(crate) mode: Mode,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum Mode {
    InPlace,
    Rewrite,
}

impl From<Mode> for HealMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::InPlace => Self::InPlace,
            Mode::Rewrite => Self::Rewrite,
        }
    }
}

pub(crate) fn heal(store: &Store, options: &HealOptions) -> Result<Report, Failure> {
    heal_store(store.path()?, Options::new(), options.mode.into())
}

/// Heals what is known to be wrong with the store at `dir`.
pub(crate) fn heal_store(dir: &Path, options: Options, mode: HealMode) -> Result<Report, Failure> {
    // Nobody else heals meanwhile, so that the report tells of everything.
    let db = options.creation(Creation::Never).background(Background::Inline).open(dir)?;
    let healed = db.heal(mode)?;
    let report = report(&db, &healed);
    db.close()?;
    Ok(report)
}

fn report(db: &Db, healed: &HealReport) -> Report {
    let exit = match (healed.is_whole(), healed.files.is_empty()) {
        (true, true) => Exit::Fine,
        (true, false) => Exit::Damage,
        (false, _) if lost_pages(healed) > 0 => Exit::Lost,
        (false, _) => Exit::Failed,
    };
    Report { exit, text: text(healed), json: json(healed, db.hints().len()) }
}

fn lost_pages(healed: &HealReport) -> u64 {
    let outcomes = healed.files.iter().map(|file| &file.healed.outcome);
    let lost = outcomes.map(|outcome| match outcome {
        Healing::Lost { pages, .. } => pages.page_count(),
        _ => 0,
    });
    lost.sum()
}

pub(crate) fn text(healed: &HealReport) -> String {
    let mut text = String::new();
    // A string takes everything.
    for file in &healed.files {
        let _ = writeln!(text, "{}: {}", file.name, told(&file.healed.outcome));
    }
    for (name, error) in &healed.failed {
        let _ = writeln!(text, "{name}: not healed: {error}");
    }
    if healed.files.is_empty() && healed.failed.is_empty() {
        text.push_str("nothing is known to be wrong; `resilver scrub` looks at every page\n");
    }
    text
}

fn told(outcome: &Healing) -> String {
    match outcome {
        Healing::Gone => "gone by now, and its damage with it".into(),
        Healing::Clean => "nothing was wrong with it any more".into(),
        Healing::InPlace { pages: 1 } => "1 page healed where it stands".into(),
        Healing::InPlace { pages } => format!("{pages} pages healed where they stand"),
        Healing::Rewritten => "written anew".into(),
        Healing::Refused => "the medium does not keep what is written there; try --mode rewrite".into(),
        Healing::Lost { pages, healed } => {
            format!("pages {pages} are LOST, {healed} others were healed; `resilver verify` names the keys")
        }
    }
}

pub(crate) fn json(healed: &HealReport, hints: usize) -> Value {
    let files = healed.files.iter().map(|file| {
        let (outcome, pages, lost) = match &file.healed.outcome {
            Healing::Gone => ("gone", 0, 0),
            Healing::Clean => ("clean", 0, 0),
            Healing::InPlace { pages } => ("in_place", *pages, 0),
            Healing::Rewritten => ("rewritten", 0, 0),
            Healing::Refused => ("refused", 0, 0),
            Healing::Lost { pages, healed } => ("lost", *healed, pages.page_count()),
        };
        json!({ "file": &*file.name, "outcome": outcome, "pages": pages, "lost": lost })
    });
    let failed =
        healed.failed.iter().map(|(name, error)| json!({ "file": &**name, "error": error.to_string() }));
    json!({
        "files": files.collect::<Vec<_>>(), "failed": failed.collect::<Vec<_>>(),
        "lost": lost_pages(healed), "hints": hints,
    })
}
