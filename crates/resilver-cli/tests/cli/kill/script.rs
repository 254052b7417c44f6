//! What a process is told to do, and which states that may leave.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use crate::stage::noise;

const KEYS: u64 = 160;
const BATCHES: usize = 300;
const VALUE_LEN_MAX: u64 = 20_000;

/// Which value each key has.
pub(super) type State = BTreeMap<String, Value>;

/// A value, by what it was made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Value {
    number: u64,
    len: usize,
}

/// Numbers that a seed decides.
pub(super) struct Dice(u64);

/// Output of a process, as text.
pub(super) struct Text(pub(super) String);

enum Step {
    Put(String, Value),
    Delete(String),
    DeleteRange(String, String),
}

/// A checkpoint that was asked for.
pub(super) struct Copy {
    pub(super) path: PathBuf,
    /// How many batches came before it.
    pub(super) batches: usize,
}

/// What one process is told.
pub(super) struct Script {
    lines: String,
    batches: Vec<Vec<Step>>,
    /// Batches that are to be acknowledged.
    durable: Vec<usize>,
    copies: Vec<Copy>,
}

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn below(&mut self, end: u64) -> u64 {
        // SplitMix64: every seed is as good as any other.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ bits >> 31) % end
    }

    pub(super) const fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn key(&mut self) -> String {
        key(self.below(KEYS))
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn key(number: u64) -> String {
    format!("key-{number:03}")
}

/// Each key that may ever be there, a line each.
pub(super) fn every_key() -> String {
    (0..KEYS).map(|number| key(number) + "\n").collect()
}

impl Value {
    /// `number.len.` and letters that compress badly, so that every byte of it is known.
    fn text(self) -> String {
        let mut text = format!("{}.{}.", self.number, self.len);
        text.extend(noise(self.len, self.number).iter().map(|byte| char::from(b'0' + byte % 64)));
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let value = Self { number: parts.next()?.parse().ok()?, len: parts.next()?.parse().ok()? };
        (value.len <= VALUE_LEN_MAX as usize && value.text() == text).then_some(value)
    }
}

/// The state that a dump shows.
pub(super) fn state_of(dump: &str, is_reverse: bool) -> Result<State, String> {
    let mut state = State::new();
    let mut lines: Vec<&str> = dump.lines().collect();
    if is_reverse {
        lines.reverse();
    }
    for line in lines {
        let (key, text) = line.split_once(' ').ok_or_else(|| format!("{line:?} is no key and value"))?;
        let value = Value::parse(text).ok_or_else(|| format!("{key} has a value that nobody wrote"))?;
        if state.last_key_value().is_some_and(|(last, _)| last.as_str() >= key) {
            return Err(format!("{key} is out of order"));
        }
        state.insert(key.into(), value);
    }
    Ok(state)
}

impl Step {
    fn drawn(dice: &mut Dice, number: u64) -> Self {
        let key = dice.key();
        match dice.below(40) {
            0 => Self::DeleteRange(key, dice.key()),
            1..=8 => Self::Delete(key),
            _ => {
                let longest = [20, 300, 3000, VALUE_LEN_MAX][dice.below(4) as usize];
                Self::Put(key, Value { number, len: 1 + dice.below(longest) as usize })
            }
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Put(key, value) => format!("P {key} {}\n", value.text()),
            Self::Delete(key) => format!("D {key}\n"),
            Self::DeleteRange(from, to) => format!("R {from} {to}\n"),
        }
    }

    fn apply(&self, state: &mut State) {
        match self {
            Self::Put(key, value) => drop(state.insert(key.clone(), *value)),
            Self::Delete(key) => drop(state.remove(key)),
            Self::DeleteRange(from, to) => state.retain(|key, _| key < from || key >= to),
        }
    }
}

impl Script {
    /// Operations for one process; checkpoints go into `copies`.
    pub(super) fn new(dice: &mut Dice, round: u64, copies: &Path) -> Self {
        let mut script =
            Self { lines: String::new(), batches: Vec::new(), durable: Vec::new(), copies: Vec::new() };
        for batch in 0..BATCHES {
            let numbers = (round * BATCHES as u64 + batch as u64) * 8;
            let steps = 1 + dice.below(6);
            let steps: Vec<Step> = (0..steps).map(|step| Step::drawn(dice, numbers + step)).collect();
            steps.iter().for_each(|step| script.lines.push_str(&step.line()));
            script.batches.push(steps);
            let is_durable = dice.below(5) < 2;
            if is_durable {
                script.durable.push(batch);
            }
            script.lines.push_str(if is_durable { "C\n" } else { "c\n" });
            match dice.below(100) {
                0..3 => script.lines.push_str("F\n"),
                3 => script.lines.push_str("K\n"),
                4..6 => {
                    let path = copies.join(batch.to_string());
                    let _ = writeln!(script.lines, "X {}", path.display());
                    script.copies.push(Copy { path, batches: batch + 1 });
                }
                _ => {}
            }
        }
        script
    }

    pub(super) fn lines(&self) -> &str {
        &self.lines
    }

    /// The batches that are acknowledged, in order.
    pub(super) fn durable(&self) -> impl Iterator<Item = usize> {
        self.durable.iter().copied()
    }

    pub(super) fn copies(&self) -> &[Copy] {
        &self.copies
    }

    pub(super) fn state_after(&self, base: &State, batches: usize) -> State {
        let mut state = base.clone();
        self.batches[..batches].iter().flatten().for_each(|step| step.apply(&mut state));
        state
    }

    /// After which batch, not before `needed`, the state was what was found.
    pub(super) fn find(&self, base: &State, needed: usize, found: &State) -> Option<(usize, State)> {
        let mut state = self.state_after(base, needed);
        for batches in needed..=self.batches.len() {
            if state == *found {
                return Some((batches, state));
            }
            self.batches.get(batches)?.iter().for_each(|step| step.apply(&mut state));
        }
        None
    }

    /// What is wrong with a state that is none of those that may be left.
    pub(super) fn difference(&self, base: &State, needed: usize, found: &State) -> String {
        if let Some((at, _)) = self.find(base, 0, found) {
            return format!("the state after batch {at} is there, {needed} were acknowledged");
        }
        let state = self.state_after(base, needed);
        let mut keys = state.keys().chain(found.keys());
        let key = keys.find(|key| state.get(*key) != found.get(*key));
        let pair = key.map(|key| (key, state.get(key), found.get(key)));
        format!("no batch leaves what is there; after batch {needed} first differs {pair:?}")
    }
}
