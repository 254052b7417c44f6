//! The whole matrix, as a table for the terminal and an object for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    cost::Cost,
    harm::{Promise, Row},
    subject::Subject,
    verdict::{Cell, Verdict},
};

pub struct Matrix {
    pub head: String,
    pub subjects: Vec<&'static Subject>,
    pub rows: Vec<&'static Row>,
    /// By subject and row.
    pub cells: Vec<Vec<Cell>>,
    pub costs: Vec<Option<Cost>>,
}

/// A row of what it costs: its name, and the figure of a subject with that over the engine without protection.
pub type CostRow = (&'static str, fn(&Cost) -> f64);

pub const COST_ROWS: [CostRow; 3] = [
    ("processor time of a put, µs", |cost| cost.cpu_us),
    ("bytes written for a byte put", |cost| cost.written),
    ("bytes on the disk for a byte put", |cost| cost.space),
];

impl Matrix {
    pub fn new(subjects: Vec<&'static Subject>, rows: Vec<&'static Row>) -> Self {
        let cells = subjects.iter().map(|_| vec![Cell::default(); rows.len()]).collect();
        let costs = vec![None; subjects.len()];
        Self { head: String::new(), subjects, rows, cells, costs }
    }

    /// A figure, and how many times that of the engine without protection it is.
    pub fn cost(&self, column: usize, figure: fn(&Cost) -> f64) -> Option<(f64, Option<f64>)> {
        let value = figure(self.costs[column].as_ref()?);
        let bare = self.subjects[column].bare;
        let bare = self.subjects.iter().position(|subject| Some(subject.name) == bare);
        let bare = bare.and_then(|bare| self.costs[bare].as_ref());
        Some((value, bare.map(|bare| value / figure(bare))))
    }

    /// A figure in words.
    pub fn told_cost(&self, column: usize, figure: fn(&Cost) -> f64) -> String {
        match self.cost(column, figure) {
            None => "-".into(),
            Some((value, None)) => format!("{value:.2}"),
            Some((value, Some(times))) => format!("{value:.2} (x {times:.2})"),
        }
    }

    /// What Resilver promises and did not do.
    pub fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for (column, subject) in self.subjects.iter().enumerate() {
            for (row, cell) in self.rows.iter().zip(&self.cells[column]) {
                let most = match (subject.name, row.promise) {
                    ("resilver" | "resilver, scrubbed", Promise::Right) => Verdict::Right,
                    ("resilver" | "resilver, scrubbed" | "resilver-off", _) => Verdict::NoOpen,
                    _ => continue,
                };
                let Cell::Counted(counts) = cell else { continue };
                for (verdict, _) in counts.came().filter(|(verdict, _)| *verdict > most) {
                    let example = counts.examples[verdict as usize].as_deref().unwrap_or_default();
                    broken.push(format!("{}, {}: {}, {example}", subject.name, row.name, verdict.name()));
                }
            }
        }
        broken
    }

    pub fn text(&self) -> String {
        let mut text = format!("\n{}\n", self.head);
        for (at, row) in self.rows.iter().enumerate() {
            let beyond = if row.promise == Promise::Right { "" } else { " (beyond what Resilver promises)" };
            // A string takes everything.
            let _ = writeln!(text, "\n{}{beyond}", row.name);
            for (subject, cells) in self.subjects.iter().zip(&self.cells) {
                let _ = writeln!(text, "  {:<20} {}", subject.name, cells[at].told());
            }
        }
        for (name, figure) in COST_ROWS {
            let _ = writeln!(text, "\n{name}");
            for (column, subject) in self.subjects.iter().enumerate() {
                let _ = writeln!(text, "  {:<20} {}", subject.name, self.told_cost(column, figure));
            }
        }
        text
    }

    pub fn json(&self) -> Value {
        let engines = self.subjects.iter().enumerate().map(|(column, subject)| {
            let rows = self.rows.iter().zip(&self.cells[column]).map(|(row, cell)| {
                let Cell::Counted(counts) = cell else {
                    return json!({ "row": row.name, "runs": 0, "told": cell.told() });
                };
                let of = |verdict: Verdict| {
                    let example = counts.examples[verdict as usize].as_deref();
                    (verdict.name().into(), json!({ "runs": counts.count(verdict), "first": example }))
                };
                let came: serde_json::Map<String, Value> = Verdict::ALL.into_iter().map(of).collect();
                json!({ "row": row.name, "runs": counts.runs(), "came": came, "told": cell.told() })
            });
            let costs = COST_ROWS.map(|(name, figure)| {
                let cost = self.cost(column, figure);
                json!({ "row": name, "value": cost.map(|cost| cost.0), "times_bare": cost.and_then(|cost| cost.1) })
            });
            json!({
                "engine": subject.name, "note": subject.kind.note, "files": subject.files,
                "rows": rows.collect::<Vec<_>>(), "costs": costs,
            })
        });
        json!({ "head": self.head, "engines": engines.collect::<Vec<_>>() })
    }
}
