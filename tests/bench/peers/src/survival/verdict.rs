//! What became of a store that was hurt, and how often.

use super::harm::Hurt;

/// What a process that asked a store for everything found; the worse the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every answer was right.
    Right,
    /// Some answers were errors, the others right.
    Error,
    /// The store did not open, and said so.
    NoOpen,
    /// The process panicked, aborted, hung, or wanted more memory than there is.
    Crash,
    /// Something was answered that is not so: a wrong or old value, nothing where there is a key, a key that was
    /// deleted.
    Wrong,
}

impl Verdict {
    pub const ALL: [Self; 5] = [Self::Right, Self::Error, Self::NoOpen, Self::Crash, Self::Wrong];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Error => "error",
            Self::NoOpen => "no open",
            Self::Crash => "crash",
            Self::Wrong => "wrong",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

/// A verdict, and what it rests on.
#[derive(Clone, Debug)]
pub struct Found {
    pub verdict: Verdict,
    pub why: String,
}

impl Found {
    pub fn new(verdict: Verdict, why: impl ToString) -> Self {
        Self { verdict, why: why.to_string() }
    }
}

/// What all runs of a row came to, for one engine.
#[derive(Clone, Debug, Default)]
pub enum Cell {
    Counted(Counts),
    /// The store has no such thing to be hurt.
    #[default]
    Nothing,
    /// It could not be done here.
    NotMeasured,
}

#[derive(Clone, Debug, Default)]
pub struct Counts {
    counts: [usize; Verdict::ALL.len()],
    /// The first of each verdict that was not right.
    pub examples: [Option<String>; Verdict::ALL.len()],
}

impl Counts {
    pub fn take(&mut self, seed: u64, hurt: &Hurt, found: Found) {
        let at = found.verdict as usize;
        self.counts[at] += 1;
        if found.verdict != Verdict::Right {
            self.examples[at].get_or_insert_with(|| format!("seed {seed}, {}: {}", hurt.told(), found.why));
        }
    }

    pub fn runs(&self) -> usize {
        self.counts.iter().sum()
    }

    pub fn count(&self, verdict: Verdict) -> usize {
        self.counts[verdict as usize]
    }

    /// Those that came, the worst first.
    pub fn came(&self) -> impl Iterator<Item = (Verdict, usize)> {
        let all = Verdict::ALL.into_iter().rev();
        all.map(|verdict| (verdict, self.count(verdict))).filter(|(_, count)| *count > 0)
    }
}

impl Cell {
    pub fn worst(&self) -> Option<Verdict> {
        match self {
            Self::Counted(counts) => counts.came().next().map(|(verdict, _)| verdict),
            Self::Nothing | Self::NotMeasured => None,
        }
    }

    /// As text: shares of a hundred, the worst first.
    pub fn told(&self) -> String {
        let counts = match self {
            Self::Counted(counts) => counts,
            Self::Nothing => return "-".into(),
            Self::NotMeasured => return "not measured".into(),
        };
        let came: Vec<_> = counts.came().collect();
        match came[..] {
            [(verdict, _)] => verdict.name().into(),
            _ => {
                let share = |count: usize| (count * 100 + counts.runs() / 2) / counts.runs().max(1);
                let told = came.iter().map(|(verdict, count)| {
                    format!("{} {}\u{a0}%", verdict.name(), share(*count).clamp(1, 99))
                });
                told.collect::<Vec<_>>().join(", ")
            }
        }
    }
}
