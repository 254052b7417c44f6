//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use page_ecc::{InnerCode, Scheme};

use crate::access::{CheckpointOptions, DumpOptions, LoadOptions, ScanOptions, Store};
use crate::size::Bytes;

/// Protects files against damage, checks them and brings them back.
#[derive(Parser, Debug)]
#[command(name = "resilver", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Prints one JSON object instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Says nothing on stderr but errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) store: Store,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 fine; 1 could not do it; 2 wrong usage; 3 damage found and corrected, or correctable \
when only looking; 4 data lost, listed in the output; 6 the store is open elsewhere.";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// The whole story on a store of its own, in less than a minute: filled, hurt, read back, healed, verified.
    Demo {
        #[command(flatten)]
        options: crate::demo::DemoOptions,
    },
    /// Measures what a store costs on this machine, workload by workload, on stores of its own.
    Bench {
        #[command(flatten)]
        options: crate::bench::BenchOptions,
    },
    /// Makes FILE.seal, from which damage to FILE is found and undone.
    Protect(ProtectOptions),
    /// Checks every page of a store, or of a file and its seal; changes nothing.
    Verify(VerifyOptions),
    /// Makes a damaged file what was sealed, or says what is lost.
    Recover(RecoverOptions),
    /// Damages a file on purpose: a fire drill. Its modification time stays, as with rot.
    Damage(DamageOptions),
    /// Sets a key's value; makes the store if there is none.
    Put { key: String, value: String },
    /// Prints a key's value.
    Get { key: String },
    /// Removes a key.
    Delete { key: String },
    /// Removes every key from FROM up to, not including, TO.
    DeleteRange { from: String, to: String },
    /// Prints keys and values in key order.
    Scan {
        #[command(flatten)]
        options: ScanOptions,
    },
    /// Puts every line of a file, or of stdin, into the store.
    Load {
        #[command(flatten)]
        options: LoadOptions,
    },
    /// Prints everything in a form that `load` takes.
    Dump {
        #[command(flatten)]
        options: DumpOptions,
    },
    /// Says what a store holds, level by level.
    Stats,
    /// Makes a store of its own at DEST, as of now.
    Checkpoint {
        #[command(flatten)]
        options: CheckpointOptions,
    },
    /// Reads and checks every page of a store, and heals what is wrong.
    Scrub {
        #[command(flatten)]
        options: crate::care::ScrubOptions,
    },
    /// Puts right what reads and scrubs found wrong.
    Heal {
        #[command(flatten)]
        options: crate::care::HealOptions,
    },
    /// Lists what is known to be lost: keyspaces and key ranges, and how to give each up; changes nothing.
    Losses {
        #[command(flatten)]
        options: crate::care::LossesOptions,
    },
    /// Gives up what is lost, so that its keys can be read again; what newer writes say of them stays.
    AcceptLoss {
        #[command(flatten)]
        options: crate::care::AcceptLossOptions,
    },
    /// Makes a store usable again that cannot be opened or lost something: a manifest anew of its tables, pages healed,
    /// what is lost listed by key. Nobody may have it open. Exits with 0 if there was nothing to do.
    Repair {
        #[command(flatten)]
        options: crate::care::RepairOptions,
    },
    /// Says how a store is, why, and what to do: healthy or healed (0), degraded (3), data loss (4).
    Health {
        #[command(flatten)]
        options: crate::health::HealthOptions,
    },
    /// Looks at every page of a closed store and writes the health page: one file, for any browser.
    Report {
        #[command(flatten)]
        options: crate::health::ReportOptions,
    },
    /// Says what is in the manifest, a table, a segment of the log, or a page; changes nothing.
    Inspect {
        #[command(subcommand)]
        what: crate::inspect::What,
    },
    /// Does what lines on stdin say to a store, and says what it sees: for campaigns driven from outside.
    Drill {
        #[command(subcommand)]
        command: crate::drill::Command,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ProtectOptions {
    /// The file to protect; it is only read.
    pub(crate) file: PathBuf,
    /// standard (64+4), light (64+2), strong (32+8), checksum, `xor N+1`, or K+M.
    #[arg(long, default_value = "standard")]
    pub(crate) scheme: Scheme,
    /// A code inside each page too, for many scattered flips; 12.5 % of space.
    #[arg(long, value_enum, default_value = "none")]
    pub(crate) inner: Inner,
    /// Replaces a seal that is there.
    #[arg(long)]
    pub(crate) force: bool,
    /// Where the seal goes instead of FILE.seal.
    #[arg(long, value_name = "PATH")]
    pub(crate) seal: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum Inner {
    None,
    Hsiao,
}

impl From<Inner> for InnerCode {
    fn from(inner: Inner) -> Self {
        match inner {
            Inner::None => Self::None,
            Inner::Hsiao => Self::Hsiao,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct VerifyOptions {
    /// The directory of a store, a protected file, a seal, or a file that is sealed in itself.
    pub(crate) file: PathBuf,
    /// Where the seal is instead of FILE.seal.
    #[arg(long, value_name = "PATH")]
    pub(crate) seal: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct RecoverOptions {
    /// A protected file, its seal, or a file that is sealed in itself.
    pub(crate) file: PathBuf,
    /// Where the seal is instead of FILE.seal.
    #[arg(long, value_name = "PATH")]
    pub(crate) seal: Option<PathBuf>,
    /// Writes what was sealed to this new file; FILE and seal stay as they are.
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Option<PathBuf>,
    /// Asks for what was sealed even if FILE was changed since: nothing of FILE is kept.
    #[arg(long)]
    pub(crate) revert: bool,
    /// Says what would be done, and does not do it.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// With --out: writes zeros where pages are lost.
    #[arg(long, requires = "out")]
    pub(crate) accept_loss: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DamageOptions {
    /// The file to damage: a copy, or one that is sealed.
    pub(crate) file: PathBuf,
    /// Turns a bit over.
    #[arg(long, value_name = "BYTE:BIT", num_args = 0..=1, default_missing_value = "")]
    pub(crate) flip_bit: Vec<String>,
    /// Fills a page with zeros.
    #[arg(long, value_name = "PAGE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) zero_page: Vec<String>,
    /// Fills a page with random bytes.
    #[arg(long, value_name = "PAGE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) garble_page: Vec<String>,
    /// Exchanges two pages.
    #[arg(long, value_name = "PAGE:PAGE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) swap_pages: Vec<String>,
    /// Fills a stretch of bytes with zeros, such as 1M:64K; 64 KiB somewhere if not said where.
    #[arg(long, value_name = "OFFSET:LEN", num_args = 0..=1, default_missing_value = "")]
    pub(crate) hole: Vec<String>,
    /// Cuts the file to this many bytes.
    #[arg(long, value_name = "LEN")]
    pub(crate) truncate: Option<Bytes>,
    /// How often to do each thing whose place is left out.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: u32,
    /// What places left out are drawn from; drawn and printed if not given.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}
