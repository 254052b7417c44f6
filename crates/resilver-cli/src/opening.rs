//! From the names a user gives to a sealed file: which file, which seal, which descriptor.
//!
//! Nothing that a seal states is believed to cost memory or time before it is compared with the
//! lengths of the files; a descriptor is looked for at head and tail first, then in every page.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use page_ecc::{Descriptor, DescriptorError, Ladder, PAGE_LEN, Page};

use crate::failure::Failure;
use crate::files::{self, Access, Regular};
use crate::pair::{Half, Pair};

/// A sealed file and the names it goes by.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) pair: Pair,
    pub(crate) file_path: PathBuf,
    pub(crate) seal_path: Option<PathBuf>,
}

/// Where the seal of a file stands if nobody says otherwise.
pub(crate) fn seal_path(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".seal");
    path.into()
}

/// Opens a file and its seal, or a file that is sealed in itself.
///
/// # Errors
/// When they are not there, cannot be opened, or the seal says nothing that can be used.
pub(crate) fn open(named: &Path, seal: Option<&Path>, access: Access) -> Result<Opened, Failure> {
    let own = seal_path(named);
    let (file_path, seal_path) = match seal {
        Some(seal) => (named.to_owned(), seal.to_owned()),
        None if named.extension() == Some(OsStr::new("seal")) && !files::is_there(&own) => {
            (named.with_extension(""), named.to_owned())
        }
        None => (named.to_owned(), own),
    };
    let file = Regular::open_if_there(&file_path, access)?;
    match Regular::open_if_there(&seal_path, access)? {
        Some(seal_file) => {
            let seal_half = Half::new(seal_file)?;
            let file = file.map(Half::new).transpose()?;
            open_detached(file, seal_half, file_path, seal_path, named)
        }
        None if seal.is_some() => Err(Failure::Missing(seal_path)),
        None => {
            let file = file.ok_or_else(|| Failure::Missing(file_path.clone()))?;
            open_whole(Half::new(file)?, file_path, seal_path)
        }
    }
}

fn open_detached(
    file: Option<Half>,
    seal: Half,
    file_path: PathBuf,
    seal_path: PathBuf,
    named: &Path,
) -> Result<Opened, Failure> {
    if let Some(file) = &file
        && file.file.is_same(&seal.file)?
    {
        return Err(Failure::SealIsFile(file_path));
    }
    let mut candidates = candidates(&seal, &seal_path)?;
    if candidates.iter().all(|descriptor| !descriptor.is_detached()) {
        // A sealed file may bear the name of a seal.
        return match named == seal_path {
            true => Ok(choose_whole(seal, candidates, seal_path)),
            false => Err(Failure::NotSeal(seal_path)),
        };
    }
    candidates.retain(Descriptor::is_detached);
    let pair = choose(Pair { descriptor: candidates[0].clone(), file, seal: Some(seal) }, candidates);
    Ok(Opened { pair, file_path, seal_path: Some(seal_path) })
}

fn open_whole(file: Half, file_path: PathBuf, seal_path: PathBuf) -> Result<Opened, Failure> {
    match Descriptor::find(&ends(&file).iter().collect::<Vec<_>>()) {
        Ok(mut candidates) => {
            candidates.retain(|descriptor| !descriptor.is_detached());
            if candidates.is_empty() {
                return Err(Failure::IsSeal(file_path));
            }
            Ok(choose_whole(file, candidates, file_path))
        }
        Err(DescriptorError::NotSealed) => Err(Failure::NoSeal { file: file_path, seal: seal_path }),
        Err(cause) => Err(Failure::Descriptor { path: file_path, cause }),
    }
}

fn choose_whole(file: Half, candidates: Vec<Descriptor>, path: PathBuf) -> Opened {
    let pair = choose(Pair { descriptor: candidates[0].clone(), file: Some(file), seal: None }, candidates);
    Opened { pair, file_path: path, seal_path: None }
}

/// The pair under that descriptor which its digest pages bear out; under the first if none is.
fn choose(mut pair: Pair, candidates: Vec<Descriptor>) -> Pair {
    if candidates.len() < 2 {
        return pair;
    }
    let first = candidates[0].clone();
    for candidate in candidates {
        pair.descriptor = candidate;
        if Ladder::new(pair.descriptor.clone(), pair.source(None)).is_borne_out() {
            return pair;
        }
    }
    pair.descriptor = first;
    pair
}

/// Every descriptor that a seal holds.
fn candidates(seal: &Half, path: &Path) -> Result<Vec<Descriptor>, Failure> {
    let at_ends = ends(seal);
    match Descriptor::find(&at_ends.iter().collect::<Vec<_>>()) {
        Ok(found) => Ok(found),
        Err(cause @ (DescriptorError::NotSealed | DescriptorError::Damaged)) => scan(seal, path, cause),
        Err(cause) => Err(Failure::Descriptor { path: path.to_owned(), cause }),
    }
}

/// The first and the last page, as far as they can be read.
fn ends(half: &Half) -> Vec<Page> {
    let pages = half.state.len / PAGE_LEN as u64;
    let places = [Some(0), pages.checked_sub(1)];
    places.into_iter().flatten().filter_map(|page| read_page(half, page)).collect()
}

fn read_page(half: &Half, page: u64) -> Option<Page> {
    let mut bytes = [0; PAGE_LEN];
    half.file.read_at(page * PAGE_LEN as u64, &mut bytes).is_ok().then_some(bytes)
}

/// Looks for a descriptor in every page: a seal that something was put before or behind still has
/// its header or footer somewhere.
fn scan(seal: &Half, path: &Path, cause: DescriptorError) -> Result<Vec<Descriptor>, Failure> {
    let mut was_sealed = cause == DescriptorError::Damaged;
    for page in 0..seal.state.len.div_ceil(PAGE_LEN as u64) {
        let Some(page) = read_page(seal, page) else { continue };
        if let Ok(found) = Descriptor::find(&[&page]) {
            return Ok(found);
        }
        was_sealed |= Descriptor::is_marked(&page);
    }
    match was_sealed {
        true => Err(Failure::DescriptorGone(path.to_owned())),
        false => Err(Failure::NotSeal(path.to_owned())),
    }
}
