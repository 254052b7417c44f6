//! `demo`: the whole story on a store of its own. It is filled, its process is killed, its files are hurt; then
//! everything is read back, scrubbed, healed, verified and read again.

mod filling;
mod hurting;
mod told;

use std::{path::PathBuf, time::Instant};

use clap::Args;
use resilver::{
    Background, Db, HealMode, Options, PageState, PatrolOptions, ScrubControl, ScrubStart, Verified,
};
use serde_json::{Value, json};

use self::{
    filling::{Content, fill},
    hurting::{Wound, hurt},
};
use crate::{
    failure::Failure,
    files, health,
    report::{Exit, Report},
    size::Bytes,
    voice::Voice,
};

#[derive(Args, Debug)]
pub(crate) struct DemoOptions {
    /// Where the store is made and left to be looked at; a temporary place that goes at the end if not said.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How much is put into it.
    #[arg(long, value_name = "BYTES", default_value = "48M")]
    size: Bytes,
    /// What the places of the damage are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How the answers of a store compare with what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    right: u64,
    wrong: u64,
    lost: u64,
}

/// A demonstration under way.
struct Demo<'a> {
    store: PathBuf,
    content: Content,
    voice: &'a Voice,
    begun: Instant,
}

pub(crate) fn run(options: &DemoOptions, voice: &Voice) -> Result<Report, Failure> {
    let (dir, is_kept) = match &options.dir {
        Some(dir) => (dir.clone(), true),
        None => (files::free_name(&std::env::temp_dir().join("resilver-demo")), false),
    };
    let demo = Demo { store: dir, content: Content::of(options.size.0), voice, begun: Instant::now() };
    let told = demo.tell(options.seed).and_then(|report| Ok((report, demo.page()?)));
    if !is_kept {
        files::remove_all(&demo.store)?;
    }
    let (mut report, page) = told?;
    report.text.push_str(&format!("The health page is at {}.\n", page.display()));
    report.json["health_page"] = page.display().to_string().into();
    if is_kept {
        report.text.push_str(&format!("The store is at {}.\n", demo.store.display()));
    }
    Ok(report)
}

impl Demo<'_> {
    fn tell(&self, seed: u64) -> Result<Report, Failure> {
        self.say(format_args!("filling a store at {} ...", self.store.display()));
        let filled = fill(&self.store, &self.content)?;
        self.say(format_args!(
            "its process was killed with {filled} changes in its log; hurting its files ..."
        ));
        let wounds = hurt(&self.store, seed)?;
        let before = self.verify()?;
        self.say(format_args!(
            "{} pages are wrong on the disk; reading everything back ...",
            before.bad.len()
        ));
        let hurt = self.read_all()?;
        self.say(format_args!("scrubbing and healing ..."));
        self.heal()?;
        let after = self.verify()?;
        self.say(format_args!("verifying, and reading everything again ..."));
        let healed = self.read_all()?;
        let secs = self.begun.elapsed().as_secs_f64();
        Ok(told::report(&told::Story { wounds: &wounds, before: &before, after: &after, hurt, healed, secs }))
    }

    /// Writes the health page beside the store; where it is.
    fn page(&self) -> Result<PathBuf, Failure> {
        let mut page = self.store.clone().into_os_string();
        page.push("-health.html");
        let page = PathBuf::from(page);
        health::write_page(&self.store, &options(), &page, self.voice)?;
        Ok(page)
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        self.voice.say(format_args!("[{:5.1} s] {what}", self.begun.elapsed().as_secs_f64()));
    }

    fn verify(&self) -> Result<Verified, Failure> {
        Ok(resilver::verify(&self.store, &options(), |_| {})?)
    }

    /// Asks for every key, and walks over all of them both ways.
    fn read_all(&self) -> Result<Answers, Failure> {
        let db = Db::open_read_only(&self.store, options())?;
        let mut answers = Answers::default();
        for key in self.content.keys() {
            let expected = self.content.value(key);
            match db.get(Content::name(key).as_bytes()) {
                Ok(found) if found.as_deref() == expected.as_deref() => answers.right += 1,
                Ok(_) => answers.wrong += 1,
                Err(error) if error.is_loss() => answers.lost += 1,
                Err(error) => return Err(error.into()),
            }
        }
        for scan in [resilver::Scan::all(), resilver::Scan::all().reverse()] {
            for item in db.scan(scan)? {
                match item {
                    Ok((key, value)) if self.content.holds(&key, &value) => {}
                    Ok(_) => answers.wrong += 1,
                    Err(error) if error.is_loss() => answers.lost += 1,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(answers)
    }

    fn heal(&self) -> Result<(), Failure> {
        let db = options().background(Background::Inline).open(&self.store)?;
        let patrol = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
        let report = db.scrub(&patrol, &ScrubControl::new())?;
        let healed = db.heal(HealMode::InPlace)?;
        self.say(format_args!(
            "{} files with {} pages scrubbed, {} files healed",
            report.files,
            report.pages,
            healed.files.len()
        ));
        Ok(db.close()?)
    }
}

fn options() -> Options {
    Options::new().memtable_bytes(filling::MEMTABLE_BYTES).table_bytes(filling::TABLE_BYTES)
}

impl Answers {
    fn is_right(self) -> bool {
        self.wrong == 0 && self.lost == 0
    }
}
