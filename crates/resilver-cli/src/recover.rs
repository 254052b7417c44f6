//! `recover`: makes a file what was sealed, or says what is lost.
//!
//! Everything is looked at before anything is written, and nothing is written unless all of it can
//! be made right. **Invariant**: what a user may have written on purpose is never lost silently: it
//! is refused, kept aside, or given up by name with `--revert`. A new time tells it, and so does a
//! file none of whose pages was sealed: small files come back from their seal alone.

use std::path::{Path, PathBuf};

use page_ecc::PAGE_LEN;
use serde_json::json;

use crate::args::RecoverOptions;
use crate::failure::Failure;
use crate::files::{self, Access, Regular, Replace};
use crate::heal::{self, Heal, PATCH_BYTES_MAX};
use crate::opening::{self, Opened};
use crate::pair::{Half, Pair, Side};
use crate::report::{Exit, Report};
use crate::stamp;
use crate::survey::Survey;
use crate::verdict::{self, State, Verdict};
use crate::verify::look_at_all;
use crate::voice::Voice;

/// How often healing a new copy is tried, since reads of a failing medium differ.
const TRIES: usize = 3;
const COPY_BYTES: usize = 1 << 20;

/// What was done about what was found.
#[derive(Debug, Default)]
struct Done {
    action: &'static str,
    pages_written: u64,
    kept: Option<PathBuf>,
    out: Option<PathBuf>,
}

pub(crate) fn run(options: &RecoverOptions, voice: &Voice) -> Result<Report, Failure> {
    let opened = opening::open(&options.file, options.seal.as_deref(), Access::Read)?;
    if let Some(out) = options.out.as_deref().filter(|out| files::is_there(out)) {
        return Err(Failure::Occupied(out.to_owned()));
    }
    let found = look_at_all(&opened, if options.dry_run { 0 } else { PATCH_BYTES_MAX }, "looking", voice)?;
    let verdict = Verdict::new(&opened, &found);
    let (text, json, state) = (verdict.text(), verdict.json(), verdict.state());
    let suspicion = match () {
        () if found.body_wrong == 0 || options.revert => None,
        () if verdict.is_changed() => Some("was written to after it was sealed"),
        () if verdict.is_foreign() => Some("has no page that was sealed"),
        () => None,
    };
    let extra = verdict::excess(&opened.pair, Side::File);
    if state == State::Lost && !options.accept_loss {
        let done = Done { action: "refused", ..Done::default() };
        return Ok(report(Exit::Lost, text, json, &done));
    }
    if extra > 0 && options.out.is_none() && !options.revert {
        return Err(Failure::Grown { path: opened.file_path, extra, is_whole: found.body_wrong == 0 });
    }
    let exit = verdict.exit();
    let done = match (&options.out, state) {
        (Some(_), _) if options.dry_run => Done { action: "would_write", ..Done::default() },
        (Some(out), _) => write_new(&opened, &found, out)?,
        (None, State::Clean) => Done { action: "nothing", ..Done::default() },
        (None, _) if options.dry_run => Done { action: "would_heal", ..Done::default() },
        (None, _) => {
            let kept = suspicion.map(|suspicion| keep(&opened, suspicion, voice)).transpose()?;
            Done { kept, ..heal_in_place(opened, &found, voice)? }
        }
    };
    Ok(report(exit, text, json, &done))
}

fn report(exit: Exit, mut text: String, mut json: serde_json::Value, done: &Done) -> Report {
    let shown = |path: &Option<PathBuf>| path.as_deref().map(|path| path.to_string_lossy().into_owned());
    let pages = done.pages_written;
    text.push_str(&match done.action {
        "refused" => {
            "nothing was written: pages are lost; restore them from a backup, or write what is right \
                      with --out PATH --accept-loss\n"
                .to_owned()
        }
        "nothing" => "nothing to do\n".to_owned(),
        "would_heal" | "would_write" => "nothing was written: this was a dry run\n".to_owned(),
        "written" => format!("written to {}\n", shown(&done.out).unwrap_or_default()),
        _ => format!("healed: {pages} pages written and read back right\n"),
    });
    json["action"] = json!(done.action);
    json["pages_written"] = json!(pages);
    json["kept"] = json!(shown(&done.kept));
    json["out"] = json!(shown(&done.out));
    Report { exit, text, json }
}

/// Keeps what the file holds now beside it, since a user may have written it.
fn keep(opened: &Opened, suspicion: &str, voice: &Voice) -> Result<PathBuf, Failure> {
    let mut name = opened.file_path.as_os_str().to_owned();
    name.push(".before-recover");
    let path = files::free_name(Path::new(&name));
    let file = opened.pair.file.as_ref().expect("only a file that is there was changed");
    let unread = files::make_new(&path, &file.file, Replace::No, |copy| {
        let unread = copy_raw(file, copy, file.state.len)?;
        copy.set_len(file.state.len)?;
        copy.set_modified(file.state.modified)?;
        Ok(unread)
    })?;
    voice.warn(format_args!(
        "warning: {} {suspicion}; what it held is kept as {}",
        opened.file_path.display(),
        path.display()
    ));
    if unread > 0 {
        voice.warn(format_args!("warning: {unread} bytes of it could not be read and are zeros there"));
    }
    Ok(path)
}

fn heal_in_place(opened: Opened, found: &Survey, voice: &Voice) -> Result<Done, Failure> {
    let file_path = opened.file_path.clone();
    let mut pair = opened.pair;
    let mut written = 0;
    if pair.file.is_none() {
        let seal = pair.seal.as_ref().expect("one of both files is there");
        let fill = |file: &Regular| fill_new(&pair, found, file);
        written += files::make_new(&file_path, &seal.file, Replace::No, fill)?;
        pair.file = Some(Half::new(Regular::open(&file_path, Access::Read)?)?);
    }
    let is_file_wrong = [&found.damaged, &found.lost]
        .into_iter()
        .flatten()
        .any(|stretch| pair.side_of(stretch.region) == Side::File);
    let is_file_wrong = is_file_wrong || found.unlisted > 0;
    let is_file_long = verdict::excess(&pair, Side::File) > 0;
    let file_heals = written == 0 && (is_file_wrong || is_file_long);
    let is_seal_wrong = found.wrong() > found.body_wrong || verdict::excess(&pair, Side::Seal) > 0;
    for (side, is_wrong) in [(Side::File, file_heals), (Side::Seal, is_seal_wrong)] {
        if let Some(half) = pair.half_mut(side).filter(|_| is_wrong) {
            *half = heal::reopen(half)?;
        }
    }
    let what = match (file_heals, is_seal_wrong && pair.is_detached()) {
        (true, false) => Some(Heal::File),
        (true, true) => Some(Heal::Both),
        (false, true) => Some(Heal::Seal),
        (false, false) => None,
    };
    let before = pair.file.as_ref().map(|file| file.state.modified);
    let healed = what.map_or(Ok(0), |what| heal_and_look_again(&mut pair, found, what));
    if let Some(file) = pair.file.as_ref().filter(|_| file_heals) {
        // Healing is no edit: after a failure the file bears the time that it had.
        let sealed = stamp::modified(&pair.descriptor).filter(|_| healed.is_ok());
        let put_back = sealed.or(before).map_or(Ok(()), |modified| file.file.set_modified(modified));
        // Who may write to a file but does not own it may not set its time: it is healed all the same.
        if let Err(failure) = put_back {
            voice.warn(format_args!("warning: {failure}; until then it counts as written to since"));
        }
        file.file.sync()?;
    }
    written += healed?;
    Ok(Done { action: "healed", pages_written: written, ..Done::default() })
}

fn heal_and_look_again(pair: &mut Pair, found: &Survey, what: Heal) -> Result<u64, Failure> {
    let written = heal::heal(pair, found, what)?;
    let pages = heal::look_again(pair, found, Heal::Both, 0).wrong();
    let path = pair.file.as_ref().or(pair.seal.as_ref()).expect("one of both files is there").file.path();
    if pages > 0 { Err(Failure::NotHealed { path: path.to_owned(), pages }) } else { Ok(written) }
}

fn write_new(opened: &Opened, found: &Survey, out: &Path) -> Result<Done, Failure> {
    let like = opened.pair.file.as_ref().or(opened.pair.seal.as_ref()).expect("one of both files is there");
    let fill = |file: &Regular| fill_new(&opened.pair, found, file);
    let pages_written = files::make_new(out, &like.file, Replace::No, fill)?;
    Ok(Done { action: "written", pages_written, out: Some(out.to_owned()), ..Done::default() })
}

/// Fills a new file with what was sealed, and zeros where that is lost; gives how many pages were
/// not simply copied.
fn fill_new(old: &Pair, found: &Survey, new: &Regular) -> Result<u64, Failure> {
    let sealed_len = old.sealed_len(Side::File);
    let mut copied = 0;
    if let Some(file) = &old.file {
        copied = sealed_len.min(file.state.len);
        copy_raw(file, new, copied)?;
    }
    new.set_len(sealed_len)?;
    let seal = old
        .seal
        .as_ref()
        .map(|seal| Ok::<_, Failure>(Half { file: seal.file.duplicate()?, state: seal.state }));
    let mut pair = Pair {
        descriptor: old.descriptor.clone(),
        file: Some(Half::new(new.duplicate()?)?),
        seal: seal.transpose()?,
    };
    let mut written = heal::heal(&mut pair, found, Heal::File)?;
    if found.has_loss() {
        blank(&pair, found, copied)?;
    }
    for _ in 0..TRIES {
        let again = heal::look_at_file(&pair);
        if again.evidence.healable() == 0 {
            let modified = stamp::modified(&pair.descriptor);
            modified.map_or(Ok(()), |modified| new.set_modified(modified))?;
            return match again.evidence.lost <= found.evidence.lost {
                true => Ok(written),
                false => Err(Failure::NotHealed { path: new.path().to_owned(), pages: again.evidence.lost }),
            };
        }
        written += heal::heal(&mut pair, &again, Heal::File)?;
    }
    Err(Failure::NotHealed { path: new.path().to_owned(), pages: 0 })
}

/// Writes zeros where pages are lost, as far as something was copied there.
fn blank(pair: &Pair, found: &Survey, copied: u64) -> Result<(), Failure> {
    let blank_lost = |found: &Survey| -> Result<(), Failure> {
        for stretch in &found.lost {
            let (side, bytes) = pair.place(&stretch.pages);
            let mut at = bytes.start;
            while side == Side::File && at < bytes.end.min(copied) {
                let len = (bytes.end.min(copied) - at).min(PAGE_LEN as u64);
                pair.file.as_ref().map_or(Ok(()), |file| file.file.write_at(at, &ZEROS[..len as usize]))?;
                at += len;
            }
        }
        Ok(())
    };
    match found.unlisted {
        0 => blank_lost(found),
        _ => heal::in_rounds(pair, Heal::File, |found| blank_lost(found)),
    }
}

const ZEROS: [u8; PAGE_LEN] = [0; PAGE_LEN];

/// Copies the first `len` bytes; what cannot be read is left out. Gives how many bytes that is.
fn copy_raw(from: &Half, to: &Regular, len: u64) -> Result<u64, Failure> {
    let mut buffer = vec![0; COPY_BYTES];
    let (mut at, mut unread) = (0, 0);
    while at < len {
        let chunk = &mut buffer[..(len - at).min(COPY_BYTES as u64) as usize];
        if from.file.read_at(at, chunk).is_ok() {
            to.write_at(at, chunk)?;
        } else {
            for (page, offset) in chunk.chunks_mut(PAGE_LEN).zip((at..).step_by(PAGE_LEN)) {
                match from.file.read_at(offset, page) {
                    Ok(()) => to.write_at(offset, page)?,
                    Err(_) => unread += page.len() as u64,
                }
            }
        }
        at += chunk.len() as u64;
    }
    Ok(unread)
}
