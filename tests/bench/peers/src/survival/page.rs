//! The matrix as one page that needs nothing from anywhere.

use std::fmt::Write as _;

use super::{
    harm::Promise,
    matrix::{COST_ROWS, Matrix},
    verdict::{Cell, Verdict},
};

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:86rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2.5rem}.note{color:#5b6b7a;max-width:60rem}\
.wide{overflow-x:auto}table{border-collapse:separate;border-spacing:2px;font-size:11.5px;line-height:1.3}\
th{font-weight:600;text-align:left;vertical-align:bottom;padding:.3rem .4rem}\
td{padding:.3rem .25rem;min-width:4.2rem;vertical-align:top;border-radius:3px}\
th:first-child{position:sticky;left:0;background:#fff;min-width:8rem;max-width:10rem;vertical-align:top}\
td b{display:block;font-weight:600;white-space:nowrap}td i{display:block;height:4px;border-radius:2px;margin-top:3px}\
.right{background:#d3efdf;color:#0d5230}.error{background:#e3e9ee;color:#33434f}.open{background:#fbe6c4;color:#6b4300}\
.crash{background:#f6cfb4;color:#6d2a00}.wrong{background:#f3b9b5;color:#7a120c}.none{color:#8494a2}\
.cost{background:#eef4f8}.band th{padding-top:1rem;color:#5b6b7a}\
@media(prefers-color-scheme:dark){body,th:first-child{color:#dde5ec;background:#14191f}.note,.band th{color:#93a3b3}\
.right{background:#12452c;color:#b8ecd0}.error{background:#2b3640;color:#cfdae3}.open{background:#54390c;color:#fbe0b0}\
.crash{background:#5f2d10;color:#ffd6bd}.wrong{background:#6b1a15;color:#ffd0cc}.cost{background:#1d2730}}";

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NoOpen => "open",
        verdict => verdict.name(),
    }
}

fn color(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Right => "#1a7f4b",
        Verdict::Error => "#9aa7b3",
        Verdict::NoOpen => "#d08a2e",
        Verdict::Crash => "#c25a1c",
        Verdict::Wrong => "#b3261e",
    }
}

pub fn page(matrix: &Matrix) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>What stores survive</title><style>{STYLE}</style><h1>What stores survive</h1>\
         <p class=note>{}. Each store was made alike, its process killed, and for every row and seed a copy hurt; then \
         a process asked for every key, one by one and in a scan. A cell shows the worst that came, then the rest.</p>\
         <p class=note>",
        matrix.head
    );
    for (verdict, means) in MEANINGS {
        // A string takes everything.
        let _ = write!(page, "<span class={}>&nbsp;{}&nbsp;</span> {means} ", class(verdict), verdict.name());
    }
    page.push_str("</p><div class=wide><table><tr><th></th>");
    for subject in &matrix.subjects {
        let _ = write!(page, "<th>{}</th>", subject.name);
    }
    page.push_str("</tr>");
    for (promise, band) in
        [(Promise::Right, "Promised by Resilver to be made good"), (Promise::NothingWrong, "Beyond that")]
    {
        write_rows(&mut page, matrix, promise, band);
    }
    if matrix.costs.iter().any(Option::is_some) {
        page.push_str("<tr class=band><th>What it costs</th></tr>");
        for (name, figure) in COST_ROWS {
            let _ = write!(page, "<tr><th>{name}</th>");
            for column in 0..matrix.subjects.len() {
                let _ = write!(page, "<td class=cost>{}</td>", matrix.told_cost(column, figure));
            }
            page.push_str("</tr>");
        }
    }
    page.push_str("</table></div><h2>What is hurt, and what is not alike</h2><ul class=note>");
    for subject in &matrix.subjects {
        let _ = write!(page, "<li><b>{}</b>: {}. {}</li>", subject.name, subject.kind.note, subject.files);
    }
    page.push_str("</ul></html>\n");
    page
}

pub const MEANINGS: [(Verdict, &str); 5] = [
    (Verdict::Right, "every answer;"),
    (Verdict::Error, "some answers are errors, the others right;"),
    (Verdict::NoOpen, "the store says that it does not open;"),
    (Verdict::Crash, "a panic, an end by a signal, 60 seconds or 8 GiB without an answer;"),
    (Verdict::Wrong, "a wrong or old value, a key missing or back from its deletion, without a word."),
];

fn write_rows(page: &mut String, matrix: &Matrix, promise: Promise, band: &str) {
    let of_it = || matrix.rows.iter().enumerate().filter(|(_, row)| row.promise == promise);
    if of_it().next().is_none() {
        return;
    }
    // A string takes everything.
    let _ = write!(page, "<tr class=band><th>{band}</th></tr>");
    for (at, row) in of_it() {
        let _ = write!(page, "<tr><th>{}</th>", row.name);
        for cells in &matrix.cells {
            write_cell(page, &cells[at]);
        }
        page.push_str("</tr>");
    }
}

fn write_cell(page: &mut String, cell: &Cell) {
    let (Cell::Counted(counts), Some(worst)) = (cell, cell.worst()) else {
        let _ = write!(page, "<td class=none>{}</td>", cell.told());
        return;
    };
    let _ = write!(page, "<td class={}>", class(worst));
    cell.told().split(", ").enumerate().for_each(|(at, told)| {
        let _ = if at == 0 { write!(page, "<b>{told}</b>") } else { write!(page, "{told} ") };
    });
    let (mut stops, mut from) = (String::new(), 0.0);
    for (verdict, count) in counts.came() {
        let to = from + count as f64 * 100.0 / counts.runs() as f64;
        let _ = write!(stops, ",{0} {from:.0}%,{0} {to:.0}%", color(verdict));
        from = to;
    }
    let _ = write!(page, "<i style='background:linear-gradient(90deg{stops})'></i></td>");
}
