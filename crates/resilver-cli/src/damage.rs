//! `damage`: hurts a file on purpose, so that recovery can be tried before it is needed.

use page_ecc::PAGE_LEN;
use serde_json::json;

use crate::args::DamageOptions;
use crate::failure::Failure;
use crate::files::{self, Access, Regular};
use crate::hurts::{self, Draws, Hurt, Nonsense};
use crate::report::{Exit, Report};

const PAGE: u64 = PAGE_LEN as u64;
/// Bytes of a hole written at a time.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

pub(crate) fn run(options: &DamageOptions) -> Result<Report, Failure> {
    let _store = files::lock_store_of(&options.file)?;
    let file = Regular::open(&options.file, Access::Write)?;
    let state = file.state()?;
    let seed = options.seed.map_or_else(getrandom::u64, Ok).map_err(Failure::Random)?;
    let plan = hurts::plan(options, state.len, seed).map_err(|nonsense| match nonsense {
        Nonsense::Unreadable(message) => Failure::Usage(message),
        Nonsense::BehindEnd(place) => {
            Failure::BehindEnd { path: options.file.clone(), place, len: state.len }
        }
    })?;
    for hurt in &plan {
        apply(hurt, &file, state.len)?;
    }
    // As rot would leave it.
    file.set_modified(state.modified)?;
    file.sync()?;
    let shown = options.file.display();
    let mut text = format!("{shown}: damaged on purpose, seed {seed}\n");
    plan.iter().for_each(|hurt| text.push_str(&format!("  {hurt}\n")));
    let json = json!({
        "file": options.file.to_string_lossy(),
        "seed": seed,
        "len": state.len,
        "done": plan.iter().map(Hurt::json).collect::<Vec<_>>(),
    });
    Ok(Report { exit: Exit::Fine, text, json })
}

fn apply(hurt: &Hurt, file: &Regular, len: u64) -> Result<(), Failure> {
    match *hurt {
        Hurt::FlipBit { byte, bit } => {
            let mut bytes = [0];
            read(file, byte, &mut bytes)?;
            file.write_at(byte, &[bytes[0] ^ 1 << bit])
        }
        Hurt::ZeroPage { page } => zero(file, page * PAGE, PAGE.min(len - page * PAGE)),
        Hurt::GarblePage { page, seed } => {
            let mut draws = Draws::new(seed);
            let bytes: Vec<u8> = (0..PAGE_LEN / 8).flat_map(|_| draws.next().to_le_bytes()).collect();
            file.write_at(page * PAGE, &bytes[..PAGE.min(len - page * PAGE) as usize])
        }
        Hurt::SwapPages { one, other } => {
            let (mut first, mut second) = ([0; PAGE_LEN], [0; PAGE_LEN]);
            read(file, one * PAGE, &mut first)?;
            read(file, other * PAGE, &mut second)?;
            file.write_at(one * PAGE, &second)?;
            file.write_at(other * PAGE, &first)
        }
        Hurt::Hole { offset, len } => zero(file, offset, len),
        Hurt::Truncate { len } => file.set_len(len),
    }
}

fn zero(file: &Regular, offset: u64, len: u64) -> Result<(), Failure> {
    let end = offset + len;
    let mut at = offset;
    while at < end {
        let now = (end - at).min(ZEROS.len() as u64);
        file.write_at(at, &ZEROS[..now as usize])?;
        at += now;
    }
    Ok(())
}

fn read(file: &Regular, offset: u64, bytes: &mut [u8]) -> Result<(), Failure> {
    let failed = |cause| Failure::Io { verb: "read", path: file.path().to_owned(), cause };
    file.read_at(offset, bytes).map_err(failed)
}
