//! Hints: where a key stands among others, in half a word.
//!
//! What most of some sample of keys begin with is left out; the bytes behind it are digits of a number, whose
//! radix is how far apart the sample's are. Eight decimal digits or four bytes of a hash go into a hint.
//!
//! Invariant: of two keys the smaller one has no larger hint. So different hints decide, and equal ones do not.

/// How a key becomes a hint.
#[derive(Debug)]
pub(super) struct KeyHint {
    prefix: Box<[u8]>,
    /// The smallest digit.
    low: u8,
    radix: u64,
    digits: u32,
}

impl KeyHint {
    /// The hint of a key that nobody looked at.
    pub(super) const UNKNOWN: u32 = 0;
    /// Of keys before all that begin with the prefix, and of the first of those.
    const LOWEST: u32 = 1;
    /// Bytes of each key that say which digits there are.
    const WINDOW: usize = 8;

    /// What tells apart most of the keys of a sample that ascends.
    pub(super) fn choose(sorted: &[Vec<u8>]) -> Self {
        let margin = sorted.len() / 16;
        let most = &sorted[margin..sorted.len() - margin];
        let (Some(first), Some(last)) = (most.first(), most.last()) else {
            return Self { prefix: Box::default(), low: 0, radix: 256, digits: 4 };
        };
        let same = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let longest = most.iter().map(Vec::len).max().unwrap_or(0);
        // Numbers that count up share more now than they will: nothing is left out that hints have room for.
        (0..same)
            .rev()
            .map(|start| Self::behind(most, &first[..start], longest))
            .take_while(|hint| hint.prefix.len() + hint.digits as usize >= longest)
            .last()
            .unwrap_or_else(|| Self::behind(most, &first[..same], Self::WINDOW))
    }

    /// Leaves out a prefix that all of the sample share, and has digits for some bytes behind it.
    fn behind(sample: &[Vec<u8>], prefix: &[u8], window: usize) -> Self {
        let digits = || sample.iter().flat_map(|key| key[prefix.len()..].iter().take(window));
        let low = digits().min().copied().unwrap_or(0);
        let high = digits().max().copied().unwrap_or(u8::MAX);
        let radix = u64::from(high - low).max(1) + 1;
        let digits = (1..32).take_while(|&digits| radix.pow(digits) <= 1 << 32).last().unwrap_or(1);
        Self { prefix: prefix.into(), low, radix, digits }
    }

    /// The hint of a key.
    #[inline]
    pub(super) fn of(&self, key: &[u8]) -> u32 {
        let len = self.prefix.len();
        let (start, rest) = key.split_at(key.len().min(len));
        if *start != *self.prefix {
            return if *start < *self.prefix { Self::LOWEST } else { u32::MAX };
        }
        let mut number = 0;
        let mut bytes = rest.iter();
        for at in 0..self.digits {
            let digit = match bytes.next().map(|byte| byte.checked_sub(self.low)) {
                Some(Some(digit)) if u64::from(digit) < self.radix => u64::from(digit),
                // Digits that are too small or too large end the number, with what they are less or more than.
                Some(Some(_)) => return clamp((number + 1) * self.radix.pow(self.digits - at) - 1),
                Some(None) | None => return clamp(number * self.radix.pow(self.digits - at)),
            };
            number = number * self.radix + digit;
        }
        clamp(number)
    }
}

fn clamp(number: u64) -> u32 {
    number.clamp(u64::from(KeyHint::LOWEST), u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![any::<u8>(), Just(0), Just(255), b'0'..b'4'];
        prop_oneof![
            proptest::collection::vec(byte, 0..8),
            "(user|k/)?[0-3]{0,6}".prop_map(String::into_bytes),
            "[0-9a-f]{0,12}".prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #[test]
        fn the_smaller_key_has_no_larger_hint(
            mut sample in proptest::collection::vec(key(), 0..40),
            mut keys in proptest::collection::vec(key(), 2..40),
        ) {
            sample.sort();
            let hint = KeyHint::choose(&sample);
            keys.extend(sample);
            keys.sort();
            for pair in keys.windows(2) {
                prop_assert!(hint.of(&pair[0]) <= hint.of(&pair[1]), "{hint:?} {pair:?}");
                prop_assert_ne!(hint.of(&pair[0]), KeyHint::UNKNOWN);
            }
        }
    }

    #[track_caller]
    fn check(keys: &[&str], distinct: usize) {
        let mut sorted: Vec<_> = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        sorted.sort();
        let hint = KeyHint::choose(&sorted);
        let mut hints: Vec<_> = sorted.iter().map(|key| hint.of(key)).collect();
        hints.dedup();
        assert_eq!(hints.len(), distinct, "{hint:?}");
    }

    #[test]
    fn what_keys_share_is_left_out_and_digits_are_packed() {
        check(&["user0000000001", "user0000000002", "user0099999999"], 3);
        check(&["8f3a9c01", "8f3a9c02", "8f3a9d00"], 3);
        check(&["tenant/a", "tenant/b", "tenant/c"], 3);
        check(&["same", "same"], 1);
        check(&["0000000001", "0000000002"], 2);
        check(&[], 0);
    }

    #[test]
    fn numbers_that_count_up_are_told_apart_later_too() {
        let hint = KeyHint::choose(&[10, 11, 12].map(|number| format!("k{number:012}").into_bytes()));
        let later: Vec<_> =
            (0..9).map(|power| hint.of(format!("k{:012}", 10_u64.pow(power)).as_bytes())).collect();
        assert!(later.is_sorted_by(|a, b| a < b), "{later:?}");
    }
}
