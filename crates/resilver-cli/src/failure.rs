//! Why a command could not do what it was asked for.
//!
//! Each message says what, where, and what to do next. Damage that was found is no failure but a
//! report; only a seal whose descriptor is gone ends here, since nothing can be said without it.

use std::io;
use std::path::PathBuf;

use page_ecc::{DescriptorError, GeometryError};

use crate::report::Exit;
use crate::size::Bytes;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot {verb} {}: {cause}; {}", path.display(), advice(cause))]
    Io { verb: &'static str, path: PathBuf, cause: io::Error },
    #[error("{} does not exist; check the name", .0.display())]
    Missing(PathBuf),
    #[error("{} is {kind}, not a regular file; name a regular file", path.display())]
    NotRegular { path: PathBuf, kind: &'static str },
    #[error("{} is there already; name another place, or move it away", .0.display())]
    Occupied(PathBuf),
    #[error(
        "{} is there already{}; `resilver verify` checks the file against it, `protect --force` replaces it",
        path.display(), if *is_current { ", and by length and time it is of the file as it is now" } else { "" }
    )]
    SealThere { path: PathBuf, is_current: bool },
    #[error("{} is there already and is no seal, so nothing replaces it; name another place with --seal, or move it away", .0.display())]
    NotReplaced(PathBuf),
    #[error("{} is a seal; name the file that it protects", .0.display())]
    IsSeal(PathBuf),
    #[error("the seal of {} cannot be the file itself; name another place with --seal", .0.display())]
    SealIsFile(PathBuf),
    #[error("{} has no seal at {}; make one with `resilver protect`, or say where it is with --seal", file.display(), seal.display())]
    NoSeal { file: PathBuf, seal: PathBuf },
    #[error("{} is no seal; name the seal of the file with --seal, or make one with `resilver protect`", .0.display())]
    NotSeal(PathBuf),
    #[error("{} cannot be used: {cause}", path.display())]
    Descriptor { path: PathBuf, cause: DescriptorError },
    #[error(
        "{} was a seal once, but its descriptor is gone from head, tail and everywhere else; restore the seal \
         or the file from a backup",
        .0.display()
    )]
    DescriptorGone(PathBuf),
    #[error("{} cannot be sealed: {cause}", path.display())]
    Geometry { path: PathBuf, cause: GeometryError },
    #[error("{} changed while it was read; run this again when nobody writes to it", .0.display())]
    ChangedMeanwhile(PathBuf),
    #[error(
        "{} is {} longer than it was sealed, so it was written to since{}; nothing was changed: `recover --revert` \
         cuts it to what was sealed, `recover --out PATH` writes that elsewhere, `protect --force` seals it as it is",
        path.display(), Bytes(*extra),
        if *is_whole { ", and its sealed part is whole" } else { ", and its sealed part is damaged but recoverable" }
    )]
    Grown { path: PathBuf, extra: u64, is_whole: bool },
    #[error(
        "{} reads back wrong after healing: {pages} pages; the medium may be failing: recover to another one with --out",
        path.display()
    )]
    NotHealed { path: PathBuf, pages: u64 },
    #[error("random bytes are not to be had from the system: {0}; try again")]
    Random(getrandom::Error),
    #[error("{0}")]
    Usage(String),
    #[error("{}", told(.0))]
    Store(#[from] resilver::Error),
    #[error("nothing is known to be lost, and nothing was changed; `resilver scrub` looks at every page")]
    NothingLost,
    #[error("{}", with_causes(.0))]
    Inspect(#[from] resilver::inspect::InspectError),
    #[error("unsupported: {0} is not built yet")]
    Unsupported(String),
    #[error("line {line}: {cause}")]
    Line { line: u64, cause: String },
    #[error("a wrong answer: {0}; please report this with the arguments and the seed")]
    Wrong(String),
    #[error("there is no key {0}; `resilver scan --keys-only` lists those that are")]
    NoKey(String),
    #[error("no store is named; give --db PATH, or set RESILVER_DB")]
    NoStore,
    #[error("stdin cannot be read: {0}")]
    Stdin(io::Error),
    #[error("the output cannot be written: {0}")]
    Stdout(io::Error),
    #[error("{place} is behind the end of {}, which has {len} bytes; nothing was changed", path.display())]
    BehindEnd { path: PathBuf, place: String, len: u64 },
}

impl From<crate::drill::BadOpts> for Failure {
    fn from(bad: crate::drill::BadOpts) -> Self {
        match bad {
            crate::drill::BadOpts::Unsupported { name, value } => {
                Self::Unsupported(format!("{name}={value}"))
            }
            bad => Self::Usage(bad.to_string()),
        }
    }
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::IsSeal(_) | Self::SealIsFile(_) => Exit::Usage,
            Self::DescriptorGone(_) => Exit::Lost,
            Self::Store(resilver::Error::InUse { .. }) => Exit::InUse,
            Self::Store(error) if error.is_loss() => Exit::Lost,
            // A reader that goes away is no failure.
            Self::Stdout(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
            Self::NoStore | Self::Line { .. } => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    /// A word for programs.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::Missing(_) => "missing",
            Self::NotRegular { .. } => "not_regular",
            Self::Occupied(_) => "occupied",
            Self::SealThere { .. } => "seal_there",
            Self::NotReplaced(_) => "not_replaced",
            Self::IsSeal(_) => "is_seal",
            Self::SealIsFile(_) => "seal_is_file",
            Self::NoSeal { .. } => "no_seal",
            Self::NotSeal(_) => "not_seal",
            Self::Descriptor { .. } => "descriptor",
            Self::DescriptorGone(_) => "descriptor_gone",
            Self::Geometry { .. } => "geometry",
            Self::ChangedMeanwhile(_) => "changed_meanwhile",
            Self::Grown { .. } => "grown",
            Self::NotHealed { .. } => "not_healed",
            Self::Random(_) => "random",
            Self::Usage(_) => "usage",
            Self::Store(_) => "store",
            Self::NothingLost => "nothing_lost",
            Self::Inspect(_) => "inspect",
            Self::Unsupported(_) => "unsupported",
            Self::Line { .. } => "line",
            Self::Wrong(_) => "wrong_answer",
            Self::NoKey(_) => "no_key",
            Self::NoStore => "no_store",
            Self::Stdin(_) => "stdin",
            Self::Stdout(_) => "stdout",
            Self::BehindEnd { .. } => "behind_end",
        }
    }
}

/// What a store refuses; what it lost by its keys, with the commands that go on from there.
fn told(error: &resilver::Error) -> String {
    if let Some(loss) = error.loss() {
        return format!(
            "{loss} cannot be answered, for bytes of them are lost; all other keys are. `resilver scrub` finds \
             everything that is lost, `resilver losses` lists it, and `resilver accept-loss` gives it up"
        );
    }
    if matches!(error, resilver::Error::LogLost { .. }) {
        let advice = "`resilver losses` lists it, and `resilver accept-loss --all` gives it up";
        return format!("{}; {advice}", with_causes(error));
    }
    with_causes(error)
}

/// An error and all that led to it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        // A layer that only passes an error on says the same again.
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}

/// What to do about an error of the system.
fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there, or name another place",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "see to it that you may, or name another place"
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            "check the name"
        }
        io::ErrorKind::InvalidFilename => "name a place with a shorter name, as with --seal or --out",
        io::ErrorKind::FileTooLarge => "no file there may be that long: name another place",
        _ if cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => "check the name",
        _ => "the medium may be failing: look at what the system logged",
    }
}
