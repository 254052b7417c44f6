//! `protect`: makes the seal of a file.
//!
//! The file is read once, strip by strip, by at most four threads with about 16 MiB each, so memory
//! does not grow with it. The seal is written beside its place and renamed when it is complete.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use page_ecc::{Descriptor, Geometry, PAGE_LEN, SealOptions, SealStore, StripSealer, Uid};
use serde_json::json;

use crate::args::ProtectOptions;
use crate::failure::Failure;
use crate::files::{self, Access, Regular, Replace, State};
use crate::opening::{self, seal_path};
use crate::progress::Progress;
use crate::report::{Exit, Report};
use crate::size::Bytes;
use crate::stamp;
use crate::survey::thread_count;
use crate::voice::Voice;

/// Bytes of columns that each thread holds.
const STRIP_BYTES: usize = 8 << 20;

pub(crate) fn run(options: &ProtectOptions, voice: &Voice) -> Result<Report, Failure> {
    let path = &options.file;
    let file = Regular::open(path, Access::Read)?;
    let seal = options.seal.clone().unwrap_or_else(|| seal_path(path));
    let state = file.state()?;
    check_place(options, &file, state, &seal, voice)?;
    let sealer = plan(options, state)?;
    let voiced = voice.progress("sealing", state.len);
    let replace = if options.force { Replace::Yes } else { Replace::No };
    let descriptor = files::make_new(&seal, &file, replace, |temporary| {
        let descriptor = write_seal(&sealer, &file, temporary, &voiced)?;
        file.check_unchanged(state)?;
        Ok(descriptor)
    })?;
    voiced.finish();
    Ok(report(path, &seal, &descriptor))
}

/// Refuses to write over what it should not.
fn check_place(
    options: &ProtectOptions,
    file: &Regular,
    state: State,
    seal: &Path,
    voice: &Voice,
) -> Result<(), Failure> {
    if options.file.extension().is_some_and(|extension| extension == "seal")
        && matches!(opening::open(&options.file, None, Access::Read), Ok(found) if found.seal_path.as_ref() == Some(&options.file))
    {
        return Err(Failure::IsSeal(options.file.clone()));
    }
    let Some(there) = Regular::open_if_there(seal, Access::Read)? else { return Ok(()) };
    if there.is_same(file)? {
        return Err(Failure::SealIsFile(options.file.clone()));
    }
    let sealed = match opening::open(&options.file, Some(seal), Access::Read) {
        Ok(found) => Some(found.pair.descriptor),
        Err(Failure::NotSeal(_)) if there.state()?.len > 0 => {
            return Err(Failure::NotReplaced(seal.to_owned()));
        }
        Err(_) => None,
    };
    let is_current = sealed.is_some_and(|sealed| {
        sealed.geometry().body_len() == state.len && stamp::modified(&sealed) == Some(state.modified)
    });
    if !options.force {
        return Err(Failure::SealThere { path: seal.to_owned(), is_current });
    }
    if is_current {
        voice.say(format_args!(
            "{} was not written to since it was sealed; whatever it holds now is sealed anew, damage included",
            options.file.display()
        ));
    }
    Ok(())
}

fn plan(options: &ProtectOptions, state: State) -> Result<StripSealer, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(Failure::Random)?;
    let seal = SealOptions::new(Uid::new(random));
    let seal = seal.scheme(options.scheme).inner(options.inner.into()).detached();
    let seal = stamp::put(seal, state.modified, &options.file).expect("216 bytes of fields fit 368");
    let sealer = StripSealer::new(state.len, &seal, STRIP_BYTES);
    sealer.map_err(|cause| Failure::Geometry { path: options.file.clone(), cause })
}

fn write_seal(
    sealer: &StripSealer,
    file: &Regular,
    seal: &Regular,
    progress: &Progress,
) -> Result<Descriptor, Failure> {
    let store = Store { geometry: *sealer.geometry(), file, seal, progress };
    let (next, has_failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut scratch = sealer.scratch();
        loop {
            let strip = next.fetch_add(1, Ordering::Relaxed);
            if strip >= sealer.strips() || has_failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            sealer
                .seal_strip(strip, &store, &mut scratch)
                .inspect_err(|_| has_failed.store(true, Ordering::Relaxed))?;
        }
    };
    let threads = thread_count().min(sealer.strips().try_into().unwrap_or(usize::MAX));
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own: Result<(), Failure> = work();
        let joined = others.into_iter().map(|other| other.join().expect("sealing does not panic"));
        joined.fold(own, Result::and)
    })?;
    sealer.finish(&store)
}

/// The sealed file in the making: body from the file, everything else into the seal.
struct Store<'a> {
    geometry: Geometry,
    file: &'a Regular,
    seal: &'a Regular,
    progress: &'a Progress,
}

impl Store<'_> {
    /// Where an offset of the sealed file stands in the seal; none for the body's.
    const fn in_seal(&self, offset: u64) -> Option<u64> {
        let page = PAGE_LEN as u64;
        let body = self.geometry.body_pages() * page;
        match offset {
            header if header < page => Some(header),
            behind if behind >= page + body => Some(behind - body),
            _ => None,
        }
    }
}

impl SealStore for Store<'_> {
    type Error = Failure;

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Failure> {
        let (file, offset) = match self.in_seal(offset) {
            Some(offset) => (self.seal, offset),
            None => (self.file, offset - PAGE_LEN as u64),
        };
        let read = file.read_at(offset, bytes);
        self.progress.add(if std::ptr::eq(file, self.file) { bytes.len() as u64 } else { 0 });
        let path = file.path();
        read.map_err(|cause| match cause.kind() {
            std::io::ErrorKind::UnexpectedEof => Failure::ChangedMeanwhile(path.to_owned()),
            _ => Failure::Io { verb: "read", path: path.to_owned(), cause },
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let offset = self.in_seal(offset).expect("a detached seal writes nothing to its body");
        self.seal.write_at(offset, bytes)
    }
}

fn report(file: &Path, seal: &Path, descriptor: &Descriptor) -> Report {
    let geometry = descriptor.geometry();
    let pages = geometry.total_pages() - geometry.body_pages();
    let seal_len = pages * PAGE_LEN as u64;
    // Wherever it starts: a hole that is a byte longer touches a page more than parity brings back.
    let hole_len = geometry.parity_pages().saturating_sub(1) * PAGE_LEN as u64;
    let promise = match hole_len {
        0 => "shows damage, but brings no lost page back".to_owned(),
        _ => format!("brings any hole of up to {} KiB back", hole_len / 1024),
    };
    let text = format!(
        "{}: {} in {} pages sealed as {}; {} holds {} and {promise}\n",
        file.display(),
        Bytes(geometry.body_len()),
        geometry.body_pages(),
        geometry.scheme(),
        seal.display(),
        Bytes(seal_len),
    );
    let json = json!({
        "file": file.to_string_lossy(),
        "seal": seal.to_string_lossy(),
        "uid": descriptor.uid().to_string(),
        "scheme": geometry.scheme().to_string(),
        "body_len": geometry.body_len(),
        "body_pages": geometry.body_pages(),
        "columns": geometry.columns(),
        "parity_pages": geometry.parity_pages(),
        "hole_len": hole_len,
        "seal_len": seal_len,
    });
    Report { exit: Exit::Fine, text, json }
}
