//! Damage: what is done to which part of a store, and where exactly a seed puts it.
//!
//! Invariant: a place is drawn from the bytes that are not zero, of all files of the part alike, so that what is
//! hurt is in use; with the same seed at the same fraction of them in each store. The last tenth of a log is left
//! alone: damage there could pass for a write that was torn.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    rng::Rng,
    subject::{Part, Subject},
};

const SECTOR: usize = 512;
const PAGE: usize = 4096;
const HOLE: usize = 64 << 10;
/// How near to its end a table's end is.
const END: usize = 300;

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// One bit is turned over.
    Bit,
    /// One byte is another.
    Byte,
    /// So many aligned bytes are zero.
    Zeroed(usize),
    /// So many aligned bytes are anything.
    Garbled(usize),
    /// A page has what another page of the file has.
    Foreign,
    /// A page cannot be read.
    Unreadable,
    /// A part of the body, one of so many, is anything.
    Fraction(usize),
    /// One bit in the mark of a block, or the twenty bytes behind it.
    BlockHead,
    /// One bit in the last bytes.
    EndBit,
    /// The last page is not there.
    EndCut,
    /// The second half is not there.
    HalfCut,
    /// The file is not there.
    Gone,
}

/// Whether Resilver promises right answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    Right,
    /// Only that nothing wrong is answered.
    NothingWrong,
}

/// A row of the matrix.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub part: Part,
    pub harm: Harm,
    pub promise: Promise,
}

const fn row(name: &'static str, part: Part, harm: Harm) -> Row {
    Row { name, part, harm, promise: Promise::Right }
}

const fn beyond(name: &'static str, part: Part, harm: Harm) -> Row {
    Row { name, part, harm, promise: Promise::NothingWrong }
}

pub const ROWS: [Row; 24] = [
    row("table: one bit", Part::Table, Harm::Bit),
    row("table: one byte", Part::Table, Harm::Byte),
    row("table: 512 B zeroed", Part::Table, Harm::Zeroed(SECTOR)),
    row("table: a page zeroed", Part::Table, Harm::Zeroed(PAGE)),
    row("table: a page from elsewhere", Part::Table, Harm::Foreign),
    row("table: a page unreadable (EIO)", Part::Table, Harm::Unreadable),
    row("table: a hole of 64 KiB", Part::Table, Harm::Garbled(HOLE)),
    row("table: a hole of 1/16", Part::Table, Harm::Fraction(16)),
    row("table: a bit of a block header", Part::Table, Harm::BlockHead),
    row("table: a bit of its end", Part::Table, Harm::EndBit),
    row("table: last page cut off", Part::Table, Harm::EndCut),
    row("manifest: one bit", Part::Manifest, Harm::Bit),
    row("manifest: a page zeroed", Part::Manifest, Harm::Zeroed(PAGE)),
    row("manifest: second half cut off", Part::Manifest, Harm::HalfCut),
    row("manifest: a file gone", Part::Manifest, Harm::Gone),
    row("log: one bit", Part::Log, Harm::Bit),
    row("log: 512 B zeroed", Part::Log, Harm::Zeroed(SECTOR)),
    row("log: a page zeroed", Part::Log, Harm::Zeroed(PAGE)),
    row("log: a page unreadable (EIO)", Part::Log, Harm::Unreadable),
    row("log: a hole of 64 KiB", Part::Log, Harm::Garbled(HOLE)),
    row("log: second half cut off", Part::Log, Harm::HalfCut),
    beyond("table: a quarter garbled", Part::Table, Harm::Fraction(4)),
    beyond("table: gone", Part::Table, Harm::Gone),
    beyond("log: gone", Part::Log, Harm::Gone),
];

/// Where and what, exactly.
#[derive(Clone, Debug)]
pub struct Hurt {
    pub path: PathBuf,
    pub range: Range<usize>,
    pub harm: Harm,
}

/// Draws a place for the row's damage in a store; none if it has no such thing.
pub fn draw(subject: &Subject, store: &Path, row: &Row, seed: u64) -> io::Result<Option<Hurt>> {
    let mut rng = Rng::new(seed);
    let Some((path, at, bytes)) = place(subject, store, row.part, &mut rng)? else { return Ok(None) };
    // A store of one file is not hurt where that file is all there is.
    if matches!(row.harm, Harm::Gone | Harm::HalfCut) && subject.part(Path::new("any")) == Some(Part::Table) {
        return Ok(None);
    }
    let len = bytes.len();
    let aligned = |by: usize| at / by * by..(at / by * by + by).min(len);
    let fitting = |by: usize| {
        let start = at.min(len.saturating_sub(by)) / SECTOR * SECTOR;
        start..(start + by).min(len)
    };
    let range = match row.harm {
        Harm::Bit | Harm::Byte => at..at + 1,
        Harm::Zeroed(by) => aligned(by),
        Harm::Foreign | Harm::Unreadable => aligned(PAGE),
        Harm::Garbled(by) => fitting(by),
        Harm::Fraction(of) => fitting((subject.body_len)(&bytes) / of),
        Harm::BlockHead => match marks(&bytes, subject.block_mark) {
            found if found.is_empty() => return Ok(None),
            found => {
                let start = found[rng.below(found.len())] + rng.below(24);
                start..start + 1
            }
        },
        Harm::EndBit => {
            let start = len - 1 - rng.below(END.min(len));
            start..start + 1
        }
        Harm::EndCut => len.saturating_sub(PAGE)..len,
        Harm::HalfCut => len / 2..len,
        Harm::Gone => 0..len,
    };
    Ok(Some(Hurt { path, range, harm: row.harm }))
}

/// A file of a part, a byte of it that is not zero, and all of its bytes.
fn place(
    subject: &Subject,
    store: &Path,
    part: Part,
    rng: &mut Rng,
) -> io::Result<Option<(PathBuf, usize, Vec<u8>)>> {
    let mut files = files_below(store)?;
    files.retain(|path| path.strip_prefix(store).is_ok_and(|below| subject.part(below) == Some(part)));
    files.sort();
    let mut used = Vec::new();
    for (file, path) in files.iter().enumerate() {
        let bytes = fs::read(path)?;
        let sectors = bytes.chunks(SECTOR).enumerate();
        let held = sectors.filter(|(_, held)| held.iter().any(|&byte| byte != 0));
        used.extend(held.map(|(sector, _)| (file, sector)));
    }
    if part == Part::Log {
        used.truncate(used.len() * 9 / 10);
    }
    if used.is_empty() {
        return Ok(None);
    }
    let (file, sector) = used[rng.below(used.len())];
    let bytes = fs::read(&files[file])?;
    let within = SECTOR.min(bytes.len() - sector * SECTOR);
    Ok(Some((files[file].clone(), sector * SECTOR + rng.below(within), bytes)))
}

pub fn files_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

fn marks(bytes: &[u8], mark: Option<&[u8]>) -> Vec<usize> {
    let Some(mark) = mark else { return Vec::new() };
    let found = bytes.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark);
    found.map(|(at, _)| at).filter(|at| at + 24 <= bytes.len()).collect()
}

impl Hurt {
    /// Which bytes of which file.
    pub fn told(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        format!("{:?} bytes {:?} of {}", self.harm, self.range, name.display())
    }

    /// Does it. What cannot be read is left to whoever runs the reader.
    pub fn inflict(&self, seed: u64) -> io::Result<()> {
        let mut rng = Rng::new(!seed);
        match self.harm {
            Harm::Unreadable => return Ok(()),
            Harm::Gone => return fs::remove_file(&self.path),
            Harm::EndCut | Harm::HalfCut => {
                let file = fs::OpenOptions::new().write(true).open(&self.path)?;
                return file.set_len(self.range.start as u64);
            }
            _ => {}
        }
        let mut bytes = fs::read(&self.path)?;
        let pages = bytes.len() / PAGE;
        let hurt = match self.harm {
            Harm::Bit | Harm::BlockHead | Harm::EndBit => {
                vec![bytes[self.range.start] ^ 1 << rng.below(8)]
            }
            Harm::Byte => vec![bytes[self.range.start] ^ (1 + rng.below(255)) as u8],
            Harm::Foreign if pages > 1 => {
                let other = (self.range.start / PAGE + 1 + rng.below(pages - 1)) % pages;
                bytes[other * PAGE..][..self.range.len()].to_vec()
            }
            Harm::Zeroed(_) => vec![0; self.range.len()],
            _ => self.range.clone().map(|_| rng.below(256) as u8).collect(),
        };
        bytes[self.range.clone()].copy_from_slice(&hurt);
        fs::write(&self.path, bytes)
    }
}
