//! The matrix as a page of the documentation.

use std::fmt::Write as _;

use super::{
    harm::Promise,
    matrix::{COST_ROWS, Matrix},
    page::MEANINGS,
    verdict::{Cell, Verdict},
};

const COMMAND: &str = "cargo run --release --features rocksdb --manifest-path tests/bench/peers/Cargo.toml -- \\
    survival --markdown docs/SURVIVAL.md";

const HOW: &str = "\
Every engine makes a store of the same keys and values: a fill, three rounds of overwrites and deletes that are
flushed and compacted, and a last round that is synced and stays in the log. Then its process is killed. For each row
and seed a copy of the store is hurt in one place, drawn by the seed from those bytes of the files that are not zero
(in a log not from the last tenth, where damage could pass for a torn write), and a process of its own opens it and
asks for every key, one by one and in a scan. All have the same cache, memtable and block size and no compression, and
otherwise what each does by default; they are opened as their users would, without repair tools. A page that cannot be
read is made by a library in front of the system's, which answers EIO for it as the kernel would.";

const READING: &str = "\
`-` says that there is nothing of the kind to be hurt. The second half of a file is that of its length, so a log that
is laid out far ahead may lose nothing. A hole of 1/16 is that share of a table without its parity.
`resilver, scrubbed` is the same store with a `scrub` and a `heal` (and both again, if a page of the log only shows
once it is in use) before it is asked, and is right only if `verify` then finds nothing wrong in any file.";

pub fn page(matrix: &Matrix) -> String {
    let mut page = format!(
        "# What stores survive\n\nOne command makes this page, and a chart of it as HTML:\n\n```sh\n{COMMAND}\n```\n\n{HOW}\n\n\
         {}. In a cell the worst comes first:\n\n",
        matrix.head
    );
    for (verdict, means) in MEANINGS {
        // A string takes everything.
        let _ = writeln!(page, "- {}: {}", told_verdict(verdict.name()), means.trim_end_matches([';', '.']));
    }
    let _ = writeln!(page, "\n{READING}");
    for (promise, title) in [
        (Promise::Right, "What Resilver promises to make good"),
        (Promise::NothingWrong, "Beyond that promise"),
    ] {
        write_table(&mut page, matrix, promise, title);
    }
    if matrix.costs.iter().any(Option::is_some) {
        page.push_str(
            "\n## What it costs\nA fill in random order, flushes and compactions included; in brackets how many times \
             the same engine\nwithout protection. Medians of three rounds.\n\n",
        );
        write_head(&mut page, matrix);
        for (name, figure) in COST_ROWS {
            let _ = write!(page, "| {name} |");
            for column in 0..matrix.subjects.len() {
                let _ = write!(page, " {} |", matrix.told_cost(column, figure).replace("x ", "×\u{a0}"));
            }
            page.push('\n');
        }
    }
    write_worst(&mut page, matrix);
    page.push_str("\n## What is hurt, and what is not alike\n");
    for subject in &matrix.subjects {
        let _ = writeln!(page, "- **{}**: {}. {}.", subject.name, subject.kind.note, subject.files);
    }
    page
}

/// The first run of each row that came to what must not come.
fn write_worst(page: &mut String, matrix: &Matrix) {
    page.push_str("\n## The first of each row that was wrong, or a crash\n");
    for (subject, cells) in matrix.subjects.iter().zip(&matrix.cells) {
        for (row, cell) in matrix.rows.iter().zip(cells) {
            let Cell::Counted(counts) = cell else { continue };
            for verdict in [Verdict::Wrong, Verdict::Crash] {
                if let Some(why) = &counts.examples[verdict as usize] {
                    let _ = writeln!(page, "- {}, {}: {}: {why}", subject.name, row.name, verdict.name());
                }
            }
        }
    }
}

fn write_head(page: &mut String, matrix: &Matrix) {
    page.push_str("| |");
    for subject in &matrix.subjects {
        let _ = write!(page, " {} |", subject.name);
    }
    let _ = writeln!(page, "\n|{}", "---|".repeat(matrix.subjects.len() + 1));
}

fn write_table(page: &mut String, matrix: &Matrix, promise: Promise, title: &str) {
    let rows: Vec<_> = matrix.rows.iter().enumerate().filter(|(_, row)| row.promise == promise).collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n## {title}\n");
    write_head(page, matrix);
    for (at, row) in rows {
        let _ = write!(page, "| {} |", row.name);
        for cells in &matrix.cells {
            let _ = write!(page, " {} |", told_cell(&cells[at]));
        }
        page.push('\n');
    }
}

fn told_cell(cell: &Cell) -> String {
    cell.told().split(", ").map(told_verdict).collect::<Vec<_>>().join(", ")
}

/// What must not come stands out.
fn told_verdict(told: &str) -> String {
    if told.starts_with(Verdict::Wrong.name()) || told.starts_with(Verdict::Crash.name()) {
        format!("**{told}**")
    } else {
        told.into()
    }
}
