//! One store, damaged once: asked, scrubbed, healed, looked at from outside, and asked again.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

use lsm_io::{FaultFs, FaultPlan, Fs, MemFs, Rng};
use resilver::{
    BadPage, Creation, Db, HealMode, Options, PageState, PatrolOptions, ScrubControl, ScrubStart, verify,
};

use super::{
    harm::{Deed, Harm, Hurt, Kind, bytes_of, draw, files},
    truth::{Answers, Truth, told},
    world::{LINKED, World},
};

/// When the damage comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the store is opened.
    AtRest,
    /// While it is open.
    WhileOpen,
}

/// One case.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) world: &'a World,
    pub(super) kind: Kind,
    pub(super) harm: Harm,
    pub(super) moment: Moment,
    pub(super) mode: HealMode,
    pub(super) seed: u64,
}

/// What came of a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    pub(super) answers: Answers,
    /// What is still wrong after healing.
    pub(super) unhealed: Vec<String>,
    /// Whether the damage showed at all: what is in nobody's use may look as it likes.
    pub(super) is_seen: bool,
    /// What was done, so that it can be done again.
    pub(super) place: String,
}

impl Verdict {
    pub(super) fn is_fine(&self) -> bool {
        self.answers.is_right() && self.unhealed.is_empty()
    }
}

impl Case<'_> {
    /// None if the store has no such file.
    pub(super) fn run(&self) -> Option<Verdict> {
        let mut verdict = Verdict { place: self.told(), ..Verdict::default() };
        let ran = catch_unwind(AssertUnwindSafe(|| self.go(&mut verdict)));
        match ran {
            Ok(ran) => ran?,
            Err(_) => verdict.answers.wrong.push("it panicked".into()),
        }
        Some(verdict)
    }

    fn told(&self) -> String {
        let Self { world, kind, harm, moment, mode, seed } = self;
        format!("{}: {kind:?} {harm:?} {moment:?} {mode:?} seed {seed:#x}", world.name)
    }

    /// The tables as they were, if they are to be healed to just that.
    fn sealed(&self, bed: &Bed<'_>) -> BTreeMap<PathBuf, Vec<u8>> {
        if self.mode == HealMode::InPlace { bed.tables() } else { BTreeMap::new() }
    }

    fn go(&self, verdict: &mut Verdict) -> Option<()> {
        let disk = self.world.disk.fork();
        let bed = Bed::new(self.world, disk, self.seed);
        let mut rng = Rng::new(self.seed);
        let mut draw = || draw(&bed.disk, self.world.dir, self.kind, self.harm, &mut rng);
        let (hurt, opened, sealed) = match self.moment {
            Moment::AtRest => {
                let (hurt, sealed) = (draw()?, self.sealed(&bed));
                bed.hurt(&hurt);
                verdict.is_seen = bed.shows_damage();
                (hurt, bed.open(), sealed)
            }
            Moment::WhileOpen => {
                let opened = bed.open();
                let (hurt, sealed) = (draw()?, self.sealed(&bed));
                bed.hurt(&hurt);
                (hurt, opened, sealed)
            }
        };
        verdict.place = format!("{}: {hurt:?}", verdict.place);
        bed.judge(opened, Some(&hurt), self.mode, &sealed, verdict);
        Some(())
    }
}

/// A world under a file system that shows damage.
pub(super) struct Bed<'a> {
    pub(super) world: &'a World,
    pub(super) disk: MemFs,
    faults: FaultFs,
}

impl<'a> Bed<'a> {
    pub(super) fn new(world: &'a World, disk: MemFs, seed: u64) -> Self {
        let faults = FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(seed));
        Self { world, disk, faults }
    }

    pub(super) fn options(&self) -> Options {
        let fs: Arc<dyn Fs> = Arc::new(self.faults.clone());
        self.world.options(fs).creation(Creation::Never)
    }

    pub(super) fn open(&self) -> Result<Db, resilver::Error> {
        self.options().open(self.world.dir)
    }

    pub(super) fn hurt(&self, hurt: &Hurt) {
        hurt.inflict(&self.disk, &self.faults);
    }

    /// Whether a look from outside finds anything.
    pub(super) fn shows_damage(&self) -> bool {
        let verified = verify(self.world.dir, &self.options(), |_| {});
        verified.map_or(true, |verified| !verified.bad.is_empty() || !verified.log_losses.is_empty())
    }

    fn tables(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let all = files(&self.disk, self.world.dir, Kind::Table);
        all.into_iter().map(|path| (path.clone(), bytes_of(&self.disk, &path))).collect()
    }

    /// Asks, heals in place and asks again: everything must be right.
    pub(super) fn judge_all(&self, mode: HealMode, verdict: &mut Verdict) {
        self.judge(self.open(), None, mode, &BTreeMap::new(), verdict);
    }

    fn judge(
        &self,
        opened: Result<Db, resilver::Error>,
        hurt: Option<&Hurt>,
        mode: HealMode,
        sealed: &BTreeMap<PathBuf, Vec<u8>>,
        verdict: &mut Verdict,
    ) {
        let db = match opened {
            Ok(db) => db,
            Err(error) => return verdict.answers.error("opening", &error),
        };
        verdict.answers = self.world.truth.ask(&db);
        match heal(&db, mode, &mut verdict.unhealed) {
            Ok(is_found) => verdict.is_seen |= is_found,
            Err(error) => verdict.unhealed.push(told(&error)),
        }
        if let Some(hurt) = hurt.filter(|_| mode == HealMode::InPlace) {
            self.compare(hurt, sealed, &mut verdict.unhealed);
        }
        if let Err(error) = db.close() {
            verdict.answers.error("closing", &error);
        }
        let is_late = self.look(hurt, &mut verdict.unhealed);
        // What was done to the disk itself a checkpoint that shares the files has seen too.
        let is_shared = hurt.is_some_and(|hurt| !matches!(hurt.deed, Deed::Rot(_)));
        if let Some(truth) = self.world.linked.as_ref().filter(|_| is_shared) {
            self.judge_linked(truth, mode, verdict);
        }
        if let Err(error) = self.judge_again(is_late, mode, verdict) {
            verdict.answers.error("opening again", &error);
        }
    }

    /// Opens what was healed, and asks again; what came to light only after the scrub the next one must find.
    fn judge_again(
        &self,
        is_late: bool,
        mode: HealMode,
        verdict: &mut Verdict,
    ) -> Result<(), resilver::Error> {
        let db = self.open()?;
        let Answers { errors, wrong } = self.world.truth.ask(&db);
        let again = |what: String| format!("after healing: {what}");
        verdict.answers.errors.extend(errors.into_iter().map(again));
        verdict.answers.wrong.extend(wrong.into_iter().map(again));
        if is_late {
            heal(&db, mode, &mut verdict.unhealed)?;
            db.close()?;
            self.look(None, &mut verdict.unhealed);
        }
        Ok(())
    }

    /// Every table that was there is there, byte for byte what was first written.
    fn compare(&self, hurt: &Hurt, sealed: &BTreeMap<PathBuf, Vec<u8>>, unhealed: &mut Vec<String>) {
        for (path, before) in sealed {
            let is_hurt = hurt.path == *path;
            let there = self.faults.open(path, lsm_io::Access::ReadOnly).is_ok();
            if !there && is_hurt {
                unhealed.push(format!("{} is gone after it was healed in place", path.display()));
            } else if there && bytes_of(&self.faults, path) != *before {
                unhealed.push(format!("{} is another than was first written", path.display()));
            }
        }
    }

    /// What an independent walk over everything finds. Whether there is something that the scrub could not know:
    /// pages of the log that nothing had been written to when they were hurt, and something has been since.
    fn look(&self, hurt: Option<&Hurt>, unhealed: &mut Vec<String>) -> bool {
        let mut verified = match verify(self.world.dir, &self.options(), |_| {}) {
            Ok(verified) => verified,
            Err(error) => {
                unhealed.push(format!("verify: {}", told(&error)));
                return false;
            }
        };
        let is_late = |bad: &BadPage| {
            let of_it = |hurt: &&Hurt| hurt.path.ends_with(&*bad.file) && hurt.idle.contains(&bad.page);
            bad.state == PageState::Correctable && hurt.as_ref().is_some_and(of_it)
        };
        let bad_before = verified.bad.len();
        verified.bad.retain(|bad| !is_late(bad));
        unhealed.extend(verified.bad.iter().take(5).map(|bad| format!("still bad: {bad:?}")));
        unhealed.extend(verified.log_losses.iter().map(|loss| format!("still lost: {loss}")));
        verified.bad.len() < bad_before
    }

    /// A checkpoint is healed with the store where it was healed in place, and else heals itself.
    fn judge_linked(&self, truth: &Truth, mode: HealMode, verdict: &mut Verdict) {
        let options = self.world.options(Arc::new(self.disk.clone())).creation(Creation::Never);
        let done = || -> Result<_, resilver::Error> {
            let mut unhealed = Vec::new();
            if mode == HealMode::Rewrite {
                let db = options.clone().open(LINKED)?;
                heal(&db, HealMode::InPlace, &mut unhealed)?;
                db.close()?;
            }
            unhealed.extend(verify(LINKED, &options, |_| {})?.bad.iter().map(|bad| format!("{bad:?}")));
            Ok((unhealed, truth.ask(&options.clone().open(LINKED)?)))
        };
        let of_it = |what: String| format!("of the checkpoint: {what}");
        match done() {
            Ok((unhealed, answers)) => {
                verdict.unhealed.extend(unhealed.into_iter().map(of_it));
                verdict.answers.errors.extend(answers.errors.into_iter().map(of_it));
                verdict.answers.wrong.extend(answers.wrong.into_iter().map(of_it));
            }
            Err(error) => verdict.answers.error("the checkpoint", &error),
        }
    }
}

/// Scrubs everything and heals what was found, if anything was.
pub(super) fn heal(db: &Db, mode: HealMode, unhealed: &mut Vec<String>) -> Result<bool, resilver::Error> {
    let patrol = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
    let report = db.scrub(&patrol, &ScrubControl::new())?;
    if !report.is_complete() {
        unhealed.push(format!("the scrub is not complete: {report:?}"));
    }
    let is_found = report.findings() > 0;
    let report = db.heal(mode)?;
    if !report.is_whole() || !db.hints().is_empty() {
        unhealed.push(format!("not whole: {report:?}, hints {:?}", db.hints()));
    }
    Ok(is_found)
}
