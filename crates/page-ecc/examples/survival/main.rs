//! What survives which damage: parity inside each block against parity across the whole file.
//!
//! `cargo run --release -p page-ecc --example survival [-- --seed N --trials N]` prints, for a file
//! of 64 MiB, how many trials in a hundred gave every byte of the body back. Nothing is assumed:
//! each trial damages the bytes, recovers and compares. Exit code 1 if a promised trial was lost or
//! a wrong byte was ever taken for a right one.

mod damage;
mod per_block;
mod sealed;

use std::process::ExitCode;

use damage::{Damage, Random};
use page_ecc::{InnerCode, Scheme};
use per_block::{BlockCode, BlockFile};
use sealed::SealedFile;

/// Bytes that every scheme protects.
const BODY_LEN: usize = 64 << 20;

/// How a trial ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// Every byte of the body came back.
    Survived,
    /// Some did not, and the scheme said so.
    Lost,
    /// Wrong bytes passed for right ones.
    Wrong,
}

/// A file under some scheme, to be hurt again and again.
trait Patient {
    /// Two lines that head its column.
    fn name(&self) -> [String; 2];
    /// What it adds to the body, as a share.
    fn cost(&self) -> f64;
    /// Whether the scheme's rule covers this damage wherever it strikes.
    fn promises(&self, damage: Damage) -> bool;
    /// Hurts, recovers, compares, and undoes it all.
    fn trial(&mut self, damage: Damage, random: &mut Random) -> Verdict;
}

const ROWS: [Damage; 16] = [
    Damage::Flips(1),
    Damage::Flips(2),
    Damage::Flips(4),
    Damage::Flips(8),
    Damage::Hole(1),
    Damage::Hole(64),
    Damage::Hole(512),
    Damage::Page,
    Damage::Hole(8 << 10),
    Damage::Hole(64 << 10),
    Damage::Hole(1 << 20),
    Damage::Hole(4 << 20),
    Damage::RandomPages(100),
    Damage::Head,
    Damage::Tail,
    Damage::Cut(4 << 20),
];

/// What one scheme made of every row.
struct Column {
    name: [String; 2],
    cost: f64,
    survived: Vec<f64>,
    broken: Vec<Damage>,
    wrong: u32,
}

fn main() -> ExitCode {
    let Some((seed, trials)) = arguments() else {
        eprintln!("usage: survival [--seed N] [--trials N]");
        return ExitCode::from(2);
    };
    println!("per cent of trials in which all of {} MiB came back; seed {seed}", BODY_LEN >> 20);
    println!("{trials} trials a cell, {} where 1 MiB and more is hurt\n", few(trials));
    let mut columns = Vec::new();
    for data_len in [4 << 10, 16 << 10] {
        for code in BlockCode::ALL {
            columns.push(judge(&mut BlockFile::new(code, data_len, seed), seed, trials));
        }
    }
    for (name, scheme, inner) in [
        ("Light", Scheme::LIGHT, InnerCode::None),
        ("Standard", Scheme::STANDARD, InnerCode::None),
        ("Strong", Scheme::STRONG, InnerCode::None),
        ("Xor", Scheme::Xor { data: 10 }, InnerCode::None),
        ("Checksum", Scheme::ChecksumOnly, InnerCode::None),
        ("Standard", Scheme::STANDARD, InnerCode::Hsiao),
    ] {
        columns.push(judge(&mut SealedFile::new(name, scheme, inner, seed), seed, trials));
    }
    print_table(&columns);
    verdict(&columns)
}

fn arguments() -> Option<(u64, u32)> {
    let (mut seed, mut trials) = (1, 100);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let number: u64 = args.next()?.parse().ok()?;
        match arg.as_str() {
            "--seed" => seed = number,
            "--trials" => trials = u32::try_from(number).ok().filter(|&trials| trials > 0)?,
            _ => return None,
        }
    }
    Some((seed, trials))
}

const fn few(trials: u32) -> u32 {
    trials.div_ceil(10)
}

fn judge(patient: &mut dyn Patient, seed: u64, trials: u32) -> Column {
    let (mut survived, mut broken, mut wrong) = (Vec::new(), Vec::new(), 0);
    for (row, damage) in (0u64..).zip(ROWS) {
        let trials = if damage.is_large() { few(trials) } else { trials };
        let mut random = Random::new(seed * 1000 + row);
        let mut count = 0;
        for _ in 0..trials {
            match patient.trial(damage, &mut random) {
                Verdict::Survived => count += 1,
                Verdict::Lost => {}
                Verdict::Wrong => wrong += 1,
            }
        }
        survived.push(f64::from(count) / f64::from(trials));
        if count < trials && patient.promises(damage) {
            broken.push(damage);
        }
    }
    Column { name: patient.name(), cost: patient.cost(), survived, broken, wrong }
}

fn print_table(columns: &[Column]) {
    for line in 0..2 {
        print!("{:24}", ["damage", ""][line]);
        columns.iter().for_each(|column| print!("{:>9}", column.name[line]));
        println!();
    }
    for (row, damage) in ROWS.iter().enumerate() {
        print!("{:24}", damage.to_string());
        columns.iter().for_each(|column| print!("{:>9}", per_cent(column.survived[row])));
        println!();
    }
    print!("{:24}", "space");
    columns.iter().for_each(|column| print!("{:>8.1}%", column.cost * 100.0));
    println!("\n");
}

/// Rounded down, so that only all is 100.
fn per_cent(share: f64) -> String {
    let tenths = (share * 1000.0).floor() as u32;
    if tenths.is_multiple_of(10) {
        (tenths / 10).to_string()
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

fn verdict(columns: &[Column]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for column in columns {
        let name = column.name.join(" ");
        for damage in &column.broken {
            println!("{name} promises to survive `{damage}` and did not");
            code = ExitCode::FAILURE;
        }
        if column.wrong > 0 {
            println!("{name} gave wrong bytes in {} trials", column.wrong);
            code = ExitCode::FAILURE;
        }
    }
    if code == ExitCode::SUCCESS {
        println!("every promise was kept, no wrong byte was returned");
    }
    code
}
