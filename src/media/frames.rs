//! Packets in a stream of bytes: where one begins and ends on a serial line, in either framing. Noise between them, and a
//! packet of which the middle was lost, are passed over.

/// The longest packet that is waited for.
const LONGEST: usize = 64 * 1024;
const NETSTRING: &[u8] = b"###\n";
const CLASSIC: &[u8] = b">>>\n";
const CLASSIC_END: &[u8] = b"\n<<<\n";
const NETSTRING_END: &[u8] = b"%%%\n";

/// Bytes that have come in and are not yet taken.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
}

/// Where the packet at the beginning ends.
enum End {
    At(usize),
    NotYet,
    /// It is none.
    Never,
}

impl Frames {
    /// More bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole packet.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let start = self.bytes.windows(4).position(|w| w == NETSTRING || w == CLASSIC);
            let Some(start) = start else {
                // The last three bytes may be the beginning of a mark.
                let noise = self.bytes.len().saturating_sub(3);
                self.bytes.drain(..noise);
                return None;
            };
            self.bytes.drain(..start);
            let end = if self.bytes.starts_with(CLASSIC) { classic_end(&self.bytes) } else { netstring_end(&self.bytes) };
            match end {
                End::At(end) => return Some(self.bytes.drain(..end).collect()),
                End::NotYet if self.bytes.len() <= LONGEST => return None,
                End::NotYet | End::Never => drop(self.bytes.drain(..1)),
            }
        }
    }
}

fn classic_end(bytes: &[u8]) -> End {
    let end = bytes.windows(CLASSIC_END.len()).position(|w| w == CLASSIC_END).map(|at| at + CLASSIC_END.len());
    // Another start before the end: the end of this one was lost.
    let again = bytes.get(1..end.unwrap_or(bytes.len())).unwrap_or_default();
    if again.windows(5).any(|w| w == b"\n>>>\n" || w == b"\n###\n") {
        return End::Never;
    }
    end.map_or(End::NotYet, End::At)
}

/// Fields up to the mark, and the digest after it. Values may hold anything: they are stepped over by their lengths.
fn netstring_end(bytes: &[u8]) -> End {
    let mut at = NETSTRING.len();
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let last = rest.starts_with(NETSTRING_END);
        if !last && rest.len() < NETSTRING_END.len() && NETSTRING_END.starts_with(rest) {
            return End::NotYet;
        }
        let from = if last { at + NETSTRING_END.len() } else { at };
        match item_end(bytes, from) {
            End::At(end) if last => return End::At(end),
            End::At(end) => at = end,
            other => return other,
        }
    }
}

/// `LENGTH:...,`
fn item_end(bytes: &[u8], at: usize) -> End {
    let rest = bytes.get(at..).unwrap_or_default();
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    match rest.get(digits) {
        None if digits <= 7 => return End::NotYet,
        Some(b':') if (1..=7).contains(&digits) => {}
        _ => return End::Never,
    }
    let length = rest.iter().take(digits).fold(0usize, |n, b| n * 10 + usize::from(b - b'0'));
    if length > LONGEST {
        return End::Never;
    }
    let comma = at + digits + 1 + length;
    match bytes.get(comma) {
        None => End::NotYet,
        Some(b',') => End::At(comma + 1),
        Some(_) => End::Never,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &[u8] = b"###\n8:(0)t=x\n,,%%%\n4:1 ab,";
    const TWO: &[u8] = b">>>\nt=status\nauth=1 ab\n<<<\n";

    fn all(stream: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut frames = Frames::default();
        let mut out = Vec::new();
        for part in stream.chunks(step) {
            frames.push(part);
            out.extend(std::iter::from_fn(|| frames.next()));
        }
        out
    }

    #[test]
    fn packets_are_found_however_the_bytes_come() {
        let stream = [b"noise#", ONE, b"\n", TWO, b"\0\xff", TWO, ONE].concat();
        for step in 1..stream.len() {
            assert_eq!(all(&stream, step), [ONE, TWO, TWO, ONE], "{step}");
        }
    }

    #[test]
    fn a_packet_that_lost_its_middle_does_not_swallow_the_next() {
        let stream = [&TWO[..12], &b"\n"[..], TWO, &ONE[..9], TWO, ONE].concat();
        let found = all(&stream, 5);
        assert_eq!(found.first().map(Vec::as_slice), Some(TWO));
        assert_eq!(found.last().map(Vec::as_slice), Some(ONE));
    }

    proptest! {
        #[test]
        fn any_bytes_are_passed_over(mut noise in proptest::collection::vec(any::<u8>(), 0..300), step in 1usize..50) {
            noise.retain(|b| !matches!(b, b'#' | b'>'));
            let stream = [noise.as_slice(), TWO].concat();
            prop_assert_eq!(all(&stream, step), vec![TWO.to_vec()]);
        }
    }
}
