//! How a store is: `health` says it from what is known, `report` looks at every page and writes the health page.

mod checkup;
mod date;
mod markup;
mod page;
mod picture;
mod rows;
mod told;

use std::path::{Path, PathBuf};

use clap::Args;
use resilver::{Db, LogLoss, Options, Verdict};
use serde_json::json;

use self::checkup::Checkup;
use crate::{
    access::Store,
    failure::Failure,
    files,
    report::{Exit, Report},
    size::Bytes,
    voice::Voice,
};

#[derive(Args, Debug)]
pub(crate) struct HealthOptions {
    /// The store's directory; what --db names if left out.
    dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ReportOptions {
    /// The store's directory; what --db names if left out.
    dir: Option<PathBuf>,
    /// Where the page goes; an older one there is replaced.
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
}

fn named<'a>(dir: Option<&'a PathBuf>, store: &'a Store) -> Result<&'a Path, Failure> {
    match dir {
        Some(dir) => Ok(dir),
        None => Ok(store.path()?),
    }
}

pub(crate) fn health(store: &Store, options: &HealthOptions) -> Result<Report, Failure> {
    let dir = named(options.dir.as_ref(), store)?;
    let db = Db::open_read_only(dir, Options::new().log_loss(LogLoss::Accept))?;
    let (health, ledger) = (db.health()?, db.ledger()?);
    let exit = exit(health.verdict);
    Ok(Report { exit, text: told::text(dir, &health, &ledger), json: told::json(&health, &ledger) })
}

pub(crate) fn report(store: &Store, options: &ReportOptions, voice: &Voice) -> Result<Report, Failure> {
    let dir = named(options.dir.as_ref(), store)?;
    let (verdict, bytes) = write_page(dir, &Options::new(), &options.html, voice)?;
    let html = options.html.display();
    Ok(Report {
        exit: exit(verdict),
        text: format!("{}: {verdict}; the health page is at {html} ({})\n", dir.display(), Bytes(bytes)),
        json: json!({ "verdict": verdict.name(), "html": html.to_string(), "bytes": bytes }),
    })
}

/// Looks at every page of the store at `dir` and writes its health page; the verdict, and how long the page is.
pub(crate) fn write_page(
    dir: &Path,
    options: &Options,
    html: &Path,
    voice: &Voice,
) -> Result<(Verdict, u64), Failure> {
    let checkup = Checkup::of(dir, options, voice)?;
    let page = page::page(&checkup);
    files::put_text(html, &page, dir)?;
    Ok((checkup.health.verdict, page.len() as u64))
}

const fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Healthy | Verdict::Healed => Exit::Fine,
        Verdict::Degraded => Exit::Damage,
        Verdict::DataLoss => Exit::Lost,
    }
}
