//! One line, one operation.

use std::{path::PathBuf, time::Duration};

use super::words::{BadWord, unescape};

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Put { key: Vec<u8>, value: Vec<u8> },
    Delete { key: Vec<u8> },
    DeleteRange { from: Vec<u8>, to: Vec<u8> },
    Merge,
    CommitDurably,
    Commit,
    Flush,
    Compact,
    Scrub,
    Heal,
    Checkpoint { dest: PathBuf },
    RotateKey,
    Wait { time: Duration },
}

/// Why a line asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadLine {
    #[error(transparent)]
    Word(#[from] BadWord),
    #[error("{line:?} is no operation; `P key value`, `D key`, `R from to`, `C` and others are")]
    Unknown { line: String },
    #[error("{line:?} has other parts than its operation takes; it takes {wanted}")]
    Parts { line: String, wanted: &'static str },
}

impl Op {
    /// What `line` asks for; nothing if it is empty.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, BadLine> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (name, rest) = match line.split_once(' ') {
            Some((name, rest)) => (name, Some(rest)),
            None => (line, None),
        };
        let parts = |wanted| BadLine::Parts { line: shown(line), wanted };
        let pair = |wanted| {
            let (first, second) = rest.and_then(|rest| rest.split_once(' ')).ok_or_else(|| parts(wanted))?;
            if second.contains(' ') { Err(parts(wanted)) } else { Ok((unescape(first)?, unescape(second)?)) }
        };
        let op = match name {
            "" if rest.is_none() => return Ok(None),
            "P" => {
                let (key, value) = pair("a key and a value")?;
                Self::Put { key, value }
            }
            "D" => match rest {
                Some(key) if !key.contains(' ') => Self::Delete { key: unescape(key)? },
                _ => return Err(parts("a key")),
            },
            "R" => {
                let (from, to) = pair("a first key and the key to end before")?;
                Self::DeleteRange { from, to }
            }
            "M" => pair("a key and an operand").map(|_| Self::Merge)?,
            "X" => match rest {
                Some(dest) if !dest.is_empty() => Self::Checkpoint { dest: dest.into() },
                _ => return Err(parts("a directory")),
            },
            "W" => {
                let millis = rest.and_then(|rest| rest.parse().ok()).ok_or_else(|| parts("milliseconds"))?;
                Self::Wait { time: Duration::from_millis(millis) }
            }
            _ => Self::alone(line)?,
        };
        Ok(Some(op))
    }

    /// An operation that takes nothing.
    fn alone(line: &str) -> Result<Self, BadLine> {
        Ok(match line.trim_end() {
            "C" => Self::CommitDurably,
            "c" => Self::Commit,
            "F" => Self::Flush,
            "K" => Self::Compact,
            "S" => Self::Scrub,
            "H" => Self::Heal,
            "Z" => Self::RotateKey,
            _ => return Err(BadLine::Unknown { line: shown(line) }),
        })
    }
}

fn shown(line: &str) -> String {
    line.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Op) {
        assert_eq!(Op::parse(line), Ok(Some(expected)));
    }

    #[test]
    fn each_operation_has_its_line() {
        let put = |key: &[u8], value: &[u8]| Op::Put { key: key.into(), value: value.into() };
        check("P key value", put(b"key", b"value"));
        check("P k%20y v%00", put(b"k y", b"v\0"));
        check("P key ", put(b"key", b""));
        check("P  value", put(b"", b"value"));
        check("D key", Op::Delete { key: b"key".into() });
        check("D ", Op::Delete { key: b"".into() });
        check("R a b", Op::DeleteRange { from: b"a".into(), to: b"b".into() });
        check("M key operand", Op::Merge);
        check("X /some dir/copy", Op::Checkpoint { dest: "/some dir/copy".into() });
        check("W 20", Op::Wait { time: Duration::from_millis(20) });
        let alone = [("C", Op::CommitDurably), ("c", Op::Commit), ("F", Op::Flush), ("K", Op::Compact)];
        for (line, op) in alone {
            check(line, op);
        }
        assert_eq!(Op::parse(""), Ok(None));
    }

    #[test]
    fn what_is_no_operation_is_said() {
        for line in ["Q", "P", "P key", "P a b c", "D", "D a b", "R a", "X", "W soon", "CC", "P %zz v", " "] {
            Op::parse(line).unwrap_err();
        }
    }
}
