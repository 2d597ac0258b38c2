//! The values of `ha.cf`: times, truth values, numbers.

use std::time::Duration;

/// No time in the file may be longer: a year is no interval between heartbeats, and sums stay far from overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A number with an optional fraction, then nothing for seconds or a suffix that begins with `ms` or `us` in any case;
/// rounded to milliseconds. `None`: not a time, or longer than a year.
pub(super) fn time(word: &str) -> Option<Duration> {
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (whole, rest) = word.split_at_checked(digits)?;
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(after) => after.split_at_checked(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()))?,
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let lower = suffix.to_ascii_lowercase();
    // Nanoseconds in one unit.
    let unit: u128 = match lower.get(..2) {
        None if lower.is_empty() => 1_000_000_000,
        Some("ms") => 1_000_000,
        Some("us") => 1_000,
        _ => return None,
    };
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Nine digits of a fraction are exact to a nanosecond of a second; what follows cannot change a millisecond.
    let (mut part, mut scale): (u128, u128) = (0, 1);
    for digit in fraction.bytes().take(9) {
        part = part * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    let nanos = whole.checked_mul(unit)?.checked_add(part * unit / scale)?;
    let millis = nanos.checked_add(500_000)? / 1_000_000;
    let time = Duration::from_millis(u64::try_from(millis).ok()?);
    (time <= LONGEST).then_some(time)
}

/// A truth value: true, on, yes, y, 1 or false, off, no, n, 0, in any case.
pub(super) fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "y" | "1" => Some(true),
        "false" | "off" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A decimal number within `range`, without sign.
pub(super) fn number<T>(word: &str, range: std::ops::RangeInclusive<T>) -> Option<T>
where
    T: std::str::FromStr + PartialOrd,
{
    let plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| word.parse().ok()).flatten().filter(|n| range.contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_original_reads_them() {
        let ms = |n| Some(Duration::from_millis(n));
        for (word, want) in [
            ("2", ms(2000)),
            ("200ms", ms(200)),
            ("1.5MSECS", ms(2)),
            (".5", ms(500)),
            ("1.", ms(1000)),
            ("1.0005", ms(1001)),
            ("500us", ms(1)),
            ("5us", ms(0)),
            ("0", ms(0)),
            ("2sec", None),
            ("5s", None),
            ("5m", None),
            ("1e3", None),
            ("+1", None),
            ("-1", None),
            (".", None),
            ("", None),
            ("ms", None),
            ("99999999999", None),
            ("99999999999999999999999999999999999999999999", None),
            ("5\u{20ac}s", None),
        ] {
            assert_eq!(time(word), want, "{word}");
        }
    }

    #[test]
    fn truth_has_ten_words() {
        for word in ["true", "on", "YES", "y", "1"] {
            assert_eq!(truth(word), Some(true));
        }
        for word in ["false", "Off", "no", "N", "0"] {
            assert_eq!(truth(word), Some(false));
        }
        assert_eq!(truth("maybe"), None);
    }

    #[test]
    fn numbers_take_no_rubbish() {
        assert_eq!(number("255", 0..=255_u8), Some(255));
        for word in ["256", "-1", "+1", "3x", "x", ""] {
            assert_eq!(number(word, 0..=255_u8), None, "{word}");
        }
    }
}
