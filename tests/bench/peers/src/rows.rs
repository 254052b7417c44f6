//! The rows of the table: what each figure is, which way is better, and what the project wants of it.

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// What Resilver is to reach.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// So many times the better of fjall and RocksDB.
    Times(f64),
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// At most what RocksDB has.
    RocksDb,
    None,
}

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub unit: &'static str,
    pub better: Better,
    pub goal: Goal,
}

const fn more(name: &'static str, unit: &'static str, goal: Goal) -> Row {
    Row { name, unit, better: Better::More, goal }
}

const fn less(name: &'static str, unit: &'static str, goal: Goal) -> Row {
    Row { name, unit, better: Better::Less, goal }
}

pub const FILL: usize = 0;
pub const FILL_STALL: usize = 1;
pub const FILL_WRITTEN: usize = 2;
pub const OVERWRITE: usize = 3;
pub const OVERWRITE_STALL: usize = 4;
pub const WRITTEN: usize = 5;
pub const SPACE: usize = 6;
pub const READ: usize = 7;
pub const MISSING: usize = 8;
pub const SCAN: usize = 9;
pub const READERS: usize = 10;
pub const SMALL_READ: usize = 11;
pub const SMALL_SCAN: usize = 12;
pub const SYNCED: usize = 13;

pub const ROWS: [Row; 14] = [
    more("random fill", "k/s", Goal::Times(1.3)),
    less("  worst put stall", "ms", Goal::AtMost(30.0)),
    less("  written per byte", "x", Goal::RocksDb),
    more("overwrite", "k/s", Goal::Times(1.3)),
    less("  worst put stall", "ms", Goal::AtMost(30.0)),
    less("  written per byte, both", "x", Goal::RocksDb),
    less("  space per byte", "x", Goal::None),
    more("cached point read", "k/s", Goal::Times(1.1)),
    more("missing key", "k/s", Goal::Times(1.1)),
    more("cached scan of 100", "k entries/s", Goal::Times(1.1)),
    more("2 readers over 1", "x", Goal::AtLeast(1.8)),
    more("small-cache read", "k/s", Goal::Times(1.1)),
    more("small-cache scan", "k entries/s", Goal::Times(1.1)),
    more("synced put, 8 threads", "k/s", Goal::Times(1.5)),
];

/// A figure of one round.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub row: usize,
    pub value: f64,
    /// The same figure as the processor sees it, others on the machine left out, where that has a meaning.
    pub by_cpu: Option<f64>,
}
