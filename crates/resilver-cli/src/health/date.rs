//! Moments as people and browsers read them, in UTC.

use std::fmt;
use std::time::Duration;

/// A moment since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(pub(super) Duration);

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days of a common year before each month, from February on.
const MONTH_BEGINS: [u64; 11] = [31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        // Whole cycles of the calendar at once, so that no clock keeps this busy.
        let (cycles, mut days) = (secs / 86_400 / 146_097, secs / 86_400 % 146_097);
        let mut year = 1970 + 400 * cycles;
        while days >= 365 + u64::from(is_leap(year)) {
            days -= 365 + u64::from(is_leap(year));
            year += 1;
        }
        let begins = |month: usize| {
            let leap = u64::from(month > 0 && is_leap(year));
            MONTH_BEGINS.get(month).map_or(u64::MAX, |begin| begin + leap)
        };
        let month = (0..MONTH_BEGINS.len()).take_while(|&month| begins(month) <= days).count();
        let day = days - if month == 0 { 0 } else { begins(month - 1) };
        let (hour, minute) = (secs / 3600 % 24, secs / 60 % 60);
        write!(f, "{year:04}-{:02}-{:02} {hour:02}:{minute:02}", month + 1, day + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_800, "2000-03-01 00:00"),
            (1_709_164_800, "2024-02-29 00:00"),
            (1_735_689_599, "2024-12-31 23:59"),
            (4_107_542_400, "2100-03-01 00:00"),
            (1_600_000_000, "2020-09-13 12:26"),
        ] {
            assert_eq!(Moment(Duration::from_secs(secs)).to_string(), text);
        }
        assert!(!Moment(Duration::MAX).to_string().is_empty());
    }
}
