//! `drill apply`: does what the lines say, in order, and says only what is durable.
//!
//! Batches take effect in the order of their lines however many threads there are: the threads only wait for
//! the disk, so that durable commits share a sync.

mod acks;

use std::{
    io::{BufRead, Write},
    path::Path,
    thread::sleep,
};

use resilver::{
    Db, Durability, HealMode, Keyspace, Options, PatrolOptions, ScrubControl, ScrubStart, WriteBatch,
};

use self::acks::Acks;
use super::ops::Op;
use crate::failure::Failure;

/// How the store is left at the end of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Closed cleanly.
    Close,
    /// As it is, without a destructor: a process that ends.
    Abandon,
}

/// An apply under way.
struct Applying<'a> {
    db: &'a Db,
    keys: Keyspace,
    batch: WriteBatch,
    acks: Acks<'a>,
}

/// Applies `lines` to the store at `dir`, which is made if there is none.
pub(super) fn apply<W: Write + Send>(
    dir: &Path,
    options: Options,
    lines: &mut dyn BufRead,
    out: &mut W,
    threads: usize,
    leaving: Leaving,
) -> Result<(), Failure> {
    let db = options.open(dir)?;
    let done = apply_to(&db, lines, out, threads);
    match leaving {
        Leaving::Close => done.and_then(|()| Ok(db.close()?)),
        Leaving::Abandon => {
            std::mem::forget(db);
            done
        }
    }
}

/// Reads one line without its end; nothing at the end of the input.
pub(super) fn read_line(lines: &mut dyn BufRead, into: &mut String) -> Result<Option<()>, Failure> {
    into.clear();
    let read = lines.read_line(into).map_err(Failure::Stdin)?;
    if into.ends_with('\n') {
        into.pop();
    }
    Ok((read > 0).then_some(()))
}

fn apply_to<W: Write + Send>(
    db: &Db,
    lines: &mut dyn BufRead,
    out: &mut W,
    threads: usize,
) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let acks = Acks::start(scope, db, out, threads);
        let mut applying = Applying { db, keys: db.default_keyspace(), batch: WriteBatch::new(), acks };
        let done = applying.run(lines);
        // What is on its way is told even if a later line is wrong.
        let told = applying.acks.finish();
        done.and(told)
    })
}

impl Applying<'_> {
    fn run(&mut self, lines: &mut dyn BufRead) -> Result<(), Failure> {
        let (mut line, mut number) = (String::new(), 0);
        while read_line(lines, &mut line)?.is_some() {
            number += 1;
            let op = Op::parse(&line);
            let op = op.map_err(|bad| Failure::Line { line: number, cause: bad.to_string() })?;
            if let Some(op) = op {
                self.apply(op)?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, op: Op) -> Result<(), Failure> {
        match op {
            Op::Put { key, value } => {
                self.batch.put(&self.keys, &key, &value);
            }
            Op::Delete { key } => {
                self.batch.delete(&self.keys, &key);
            }
            Op::DeleteRange { from, to } => {
                self.batch.delete_range(&self.keys, &from, &to);
            }
            Op::Merge => return Err(Failure::Unsupported("a merge operand".into())),
            Op::Commit => self.commit()?,
            Op::CommitDurably => {
                self.commit()?;
                self.acks.push()?;
            }
            // The other operations come behind the commits before them.
            op => {
                self.acks.settle()?;
                self.operate(op)?;
            }
        }
        Ok(())
    }

    fn operate(&self, op: Op) -> Result<(), Failure> {
        match op {
            Op::Flush => self.db.flush()?,
            Op::Compact => self.db.compact()?,
            Op::Checkpoint { dest } => self.db.checkpoint(&dest)?,
            Op::Wait { time } => sleep(time),
            Op::Scrub => {
                let patrol = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
                self.db.scrub(&patrol, &ScrubControl::new())?;
            }
            // Whatever could not be healed shows in what is read, and to `verify`.
            Op::Heal => _ = self.db.heal(HealMode::InPlace)?,
            _ => return Err(Failure::Unsupported("rotation of keys".into())),
        }
        Ok(())
    }

    /// Writes the batch behind all before it; whether it is durable is asked later.
    fn commit(&mut self) -> Result<(), Failure> {
        self.db.write_with(&self.batch, Durability::Buffered)?;
        self.batch.clear();
        Ok(())
    }
}
