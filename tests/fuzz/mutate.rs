//! How an input is changed: bytes, pieces, lines, numbers, and words of other inputs.

/// Chance from a seed (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`; 0 when that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() >> 16).unwrap().checked_rem(end).unwrap_or(0)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Numbers at which programs err.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "00",
    "4",
    "5",
    "15",
    "16",
    "31",
    "32",
    "33",
    "127",
    "128",
    "129",
    "255",
    "256",
    "999",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "65535",
    "65536",
    "9999999",
    "99999999999999999999",
    "18446744073709551615",
    "1e9",
    "0x7f",
    "1.5",
];
/// Bytes that mean something to one reader or another.
const BYTES: &[u8] = b"\0\n\r\t \"#'()*+,-./0:;<=>?@AZ[\\]^_az{|}~\x13\x7f\x80\xc3\xff";

/// Changes `input` a few times, with pieces of `other` and the words, and keeps it below `longest`.
pub fn change(dice: &mut Dice, input: &mut Vec<u8>, other: &[u8], words: &[Vec<u8>], longest: usize) {
    for _ in 0..=dice.below(4) {
        once(dice, input, other, words);
    }
    input.truncate(longest);
}

fn once(dice: &mut Dice, input: &mut Vec<u8>, other: &[u8], words: &[Vec<u8>]) {
    let at = dice.below(input.len() + 1);
    match dice.below(13) {
        0 => flip(dice, input),
        1 => set(dice, input),
        2 => input.insert(at, *dice.pick(BYTES)),
        3 => input.truncate(at),
        4 => {
            let end = (at + 1 + dice.below(8)).min(input.len());
            input.drain(at.min(end)..end);
        }
        5 => {
            let piece = piece(dice, input, 64);
            insert(input, at, &piece);
        }
        6 => {
            let piece = piece(dice, other, 200);
            insert(input, at, &piece);
        }
        7 | 8 if !words.is_empty() => {
            let word = dice.pick(words).clone();
            insert(input, at, &word);
        }
        9 => number(dice, input),
        10 => lines(dice, input),
        11 => {
            // Much of the same: what is quadratic or recursive shows itself.
            let piece = piece(dice, input, 16);
            let many = piece.repeat(1 + dice.below(200));
            insert(input, at, &many);
        }
        12 => integer(dice, input),
        _ => flip(dice, input),
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

fn flip(dice: &mut Dice, input: &mut [u8]) {
    let at = dice.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

fn set(dice: &mut Dice, input: &mut [u8]) {
    let at = dice.below(input.len());
    let value = if dice.below(2) == 0 { *dice.pick(BYTES) } else { dice.roll().to_le_bytes()[3] };
    if let Some(byte) = input.get_mut(at) {
        *byte = value;
    }
}

/// A binary number, at a place where a header might have one.
fn integer(dice: &mut Dice, input: &mut [u8]) {
    let at = dice.below(input.len()) & !1;
    let value = [0, 1, 4, 7, 8, 16, 20, 255, 256, 0x7fff, 0xffff, u32::MAX, 1 << 31][dice.below(13)];
    let bytes = if dice.below(2) == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
    let width = [1, 2, 4][dice.below(3)];
    input.iter_mut().skip(at).zip(&bytes[..width]).for_each(|(to, from)| *to = *from);
}

/// A stretch of at most `most` bytes.
fn piece(dice: &mut Dice, from: &[u8], most: usize) -> Vec<u8> {
    let start = dice.below(from.len());
    let end = (start + 1 + dice.below(most)).min(from.len());
    from[start..end].to_vec()
}

/// Puts another number in the place of one that is written.
fn number(dice: &mut Dice, input: &mut Vec<u8>) {
    let from = dice.below(input.len());
    let Some(start) = input.iter().skip(from).position(u8::is_ascii_digit).map(|n| n + from) else { return };
    let end = input.iter().skip(start).position(|b| !b.is_ascii_digit()).map_or(input.len(), |n| n + start);
    input.splice(start..end, dice.pick(NUMBERS).bytes());
}

/// Doubles, drops or exchanges lines.
fn lines(dice: &mut Dice, input: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = input.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let (a, b) = (dice.below(lines.len()), dice.below(lines.len()));
    match dice.below(3) {
        0 => lines.insert(b, lines[a].clone()),
        1 => drop(lines.remove(a)),
        _ => lines.swap(a, b),
    }
    *input = lines.concat();
}
