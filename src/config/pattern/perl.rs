//! From Perl's syntax to the engine's: what both have goes through, the rest is rewritten or refused.

use std::iter::Peekable;
use std::str::Chars;

use super::PatternError;

/// `$` outside of `/m`: the end, or before a newline there.
const END: &str = r"(?=\n?\z)";

/// The pattern in the engine's syntax.
pub(super) fn translate(pattern: &str) -> Result<String, PatternError> {
    let mut perl = Perl { chars: pattern.chars().peekable(), out: String::new(), flags: Flags::default(), outer: Vec::new() };
    while let Some(c) = perl.chars.next() {
        perl.one(c)?;
    }
    Ok(perl.out)
}

/// Flags that change what the translation of a character is; `i` and `s` are left to the engine.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    multi_line: bool,
    extended: bool,
}

struct Perl<'a> {
    chars: Peekable<Chars<'a>>,
    out: String,
    flags: Flags,
    /// The flags outside of each open group.
    outer: Vec<Flags>,
}

impl Perl<'_> {
    fn one(&mut self, c: char) -> Result<(), PatternError> {
        match c {
            '\\' => self.escape(),
            '[' => self.class(),
            '(' => self.group(),
            ')' => {
                self.flags = self.outer.pop().unwrap_or(self.flags);
                self.out.push(')');
                Ok(())
            }
            '$' => {
                self.out.push_str(if self.flags.multi_line { "$" } else { END });
                Ok(())
            }
            '{' => {
                self.brace();
                Ok(())
            }
            ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' if self.flags.extended => Ok(()),
            '#' if self.flags.extended => {
                while self.chars.next().is_some_and(|c| c != '\n') {}
                Ok(())
            }
            '|' | '*' | '+' | '?' | '^' | '.' => {
                self.out.push(c);
                Ok(())
            }
            _ => {
                self.literal(c);
                Ok(())
            }
        }
    }

    /// The character itself.
    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() || c.is_ascii_whitespace() || c.is_ascii_control() {
            self.byte(u32::from(c));
        } else {
            self.out.push(c);
        }
    }

    /// A byte by its number.
    fn byte(&mut self, value: u32) {
        self.out.push_str(&format!("\\x{value:02x}"));
    }

    /// The character of a number: a byte, or the UTF-8 of what is more.
    fn number(&mut self, value: u32) -> Result<(), PatternError> {
        if value <= 0xff {
            self.byte(value);
        } else {
            let c = char::from_u32(value).ok_or_else(|| PatternError::Unsupported(format!("\\x{{{value:x}}}")))?;
            self.out.push(c);
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let c = self.chars.next().ok_or(PatternError::Open("\\"))?;
        match c {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'b' | 'B' | 'A' | 'z' | 'K' | 'G' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'Z' => self.out.push_str(END),
            'h' => self.out.push_str(r"[\t \xa0]"),
            'H' => self.out.push_str(r"[^\t \xa0]"),
            'v' => self.out.push_str(r"[\n\x0b\x0c\r\x85]"),
            'V' => self.out.push_str(r"[^\n\x0b\x0c\r\x85]"),
            'R' => self.out.push_str(r"(?>\r\n|[\n\x0b\x0c\r\x85])"),
            'N' => self.out.push_str(r"[^\n]"),
            'k' => self.named_reference()?,
            'g' => self.reference()?,
            '1'..='9' => self.digits(c)?,
            'p' | 'P' | 'X' | 'C' => return Err(PatternError::Unsupported(format!("\\{c}"))),
            _ => match self.simple(c)? {
                Some(value) => self.number(value)?,
                // What has no meaning is itself, as in Perl.
                None => self.literal(c),
            },
        }
        Ok(())
    }

    /// The number of an escape that means one character, in a class and outside.
    fn simple(&mut self, c: char) -> Result<Option<u32>, PatternError> {
        Ok(Some(match c {
            'n' => 0x0a,
            't' => 0x09,
            'r' => 0x0d,
            'f' => 0x0c,
            'e' => 0x1b,
            'a' => 0x07,
            '0' => self.octal(0, 2),
            'x' if self.chars.peek() == Some(&'{') => {
                let text = self.braced()?;
                let digits = text.trim();
                u32::from_str_radix(digits, 16).map_err(|_| PatternError::Unsupported(format!("\\x{{{text}}}")))?
            }
            'x' => self.hex(),
            'c' => {
                let c = self.chars.next().filter(char::is_ascii).ok_or(PatternError::Open("\\c"))?;
                u32::from(c.to_ascii_uppercase()) ^ 0x40
            }
            _ => return Ok(None),
        }))
    }

    /// Up to two hexadecimal digits.
    fn hex(&mut self) -> u32 {
        let mut value = 0;
        for _ in 0..2 {
            match self.chars.peek().and_then(|c| c.to_digit(16)) {
                Some(digit) => value = value * 16 + digit,
                None => break,
            }
            self.chars.next();
        }
        value
    }

    /// Up to `more` octal digits behind `value`.
    fn octal(&mut self, mut value: u32, more: usize) -> u32 {
        for _ in 0..more {
            match self.chars.peek().and_then(|c| c.to_digit(8)) {
                Some(digit) => value = value * 8 + digit,
                None => break,
            }
            self.chars.next();
        }
        value
    }

    /// `\1` is a group; three octal digits are a character.
    fn digits(&mut self, first: char) -> Result<(), PatternError> {
        let mut ahead = self.chars.clone();
        let octal = |c: Option<char>| c.and_then(|c| c.to_digit(8)).is_some();
        if first < '8' && octal(ahead.next()) && octal(ahead.next()) {
            let value = self.octal(first.to_digit(8).unwrap_or(0), 2);
            return self.number(value & 0xff);
        }
        let mut number = String::from(first);
        while let Some(digit) = self.chars.next_if(char::is_ascii_digit) {
            number.push(digit);
        }
        self.back(&number);
        Ok(())
    }

    /// A reference that following digits can't lengthen.
    fn back(&mut self, number: &str) {
        self.out.push_str(&format!(r"(?:\{number})"));
    }

    /// `\g1`, `\g{1}`, `\g{-1}`, `\g{name}`.
    fn reference(&mut self) -> Result<(), PatternError> {
        let text = if self.chars.peek() == Some(&'{') {
            self.braced()?
        } else {
            let mut text = String::new();
            while let Some(c) = self.chars.next_if(|c| c.is_ascii_digit() || (*c == '-' && text.is_empty())) {
                text.push(c);
            }
            text
        };
        let text = text.trim();
        if text.parse::<u16>().is_ok() {
            self.back(text);
        } else if let Some(back) = text.strip_prefix('-').and_then(|n| n.parse::<usize>().ok()) {
            let groups = groups(&self.out);
            let number = (groups + 1).checked_sub(back).filter(|n| *n > 0 && back > 0);
            self.back(&number.ok_or_else(|| PatternError::Unsupported(format!("\\g{{{text}}}")))?.to_string());
        } else if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.out.push_str(&format!(r"\k<{text}>"));
        } else {
            return Err(PatternError::Unsupported(format!("\\g{text}")));
        }
        Ok(())
    }

    /// `\k<name>`, `\k'name'`, `\k{name}`.
    fn named_reference(&mut self) -> Result<(), PatternError> {
        let name = match self.chars.peek() {
            Some('{') => self.braced()?,
            Some('<') => self.until('>', "\\k<")?,
            Some('\'') => self.until('\'', "\\k'")?,
            _ => return Err(PatternError::Unsupported("\\k".to_owned())),
        };
        self.out.push_str(&format!(r"\k<{}>", name.trim()));
        Ok(())
    }

    fn braced(&mut self) -> Result<String, PatternError> {
        self.until('}', "{")
    }

    /// What stands between the next character and `close`.
    fn until(&mut self, close: char, open: &'static str) -> Result<String, PatternError> {
        self.chars.next();
        let mut text = String::new();
        for c in self.chars.by_ref() {
            if c == close {
                return Ok(text);
            }
            text.push(c);
        }
        Err(PatternError::Open(open))
    }

    /// A `{` that is no quantifier is itself.
    fn brace(&mut self) {
        let inside: String = self.chars.clone().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        let closed = self.chars.clone().nth(inside.len()) == Some('}');
        let (low, high) = inside.split_once(',').unwrap_or((&inside, "0"));
        if closed && !low.is_empty() && !high.contains(',') {
            self.out.push('{');
            self.out.push_str(&inside);
            self.out.push('}');
            self.chars.nth(inside.len());
        } else {
            self.literal('{');
        }
    }

    /// A bracketed class, every literal in it by number: the engine's set operations mean nothing in Perl.
    fn class(&mut self) -> Result<(), PatternError> {
        const OPEN: PatternError = PatternError::Open("[");
        self.out.push('[');
        if self.chars.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let c = self.chars.next().ok_or(OPEN)?;
            match c {
                ']' if !first => break,
                '[' if self.chars.peek() == Some(&':') && self.posix() => {}
                '-' => {
                    // A range only between two members.
                    if first
                        || matches!(self.chars.peek(), Some(']') | None)
                        || self.out.ends_with(['d', 'w', 's', 'D', 'W', 'S', ']'])
                    {
                        self.byte(u32::from('-'));
                    } else {
                        self.out.push('-');
                    }
                }
                '\\' => {
                    let c = self.chars.next().ok_or(OPEN)?;
                    match c {
                        'd' | 'D' | 'w' | 'W' | 's' | 'S' => {
                            self.out.push('\\');
                            self.out.push(c);
                        }
                        'h' => self.out.push_str(r"\x09\x20\xa0"),
                        'v' => self.out.push_str(r"\x0a-\x0d\x85"),
                        'b' => self.byte(8),
                        '1'..='7' => {
                            let value = self.octal(c.to_digit(8).unwrap_or(0), 2);
                            self.byte(value & 0xff);
                        }
                        'H' | 'V' | 'p' | 'P' | 'N' | 'R' => return Err(PatternError::Unsupported(format!("\\{c} in []"))),
                        _ => match self.simple(c)? {
                            Some(value) if value > 0xff => {
                                return Err(PatternError::Unsupported(format!("\\x{{{value:x}}} in []")));
                            }
                            Some(value) => self.byte(value),
                            None => self.members(c),
                        },
                    }
                }
                _ => self.members(c),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// A literal in a class: each of its bytes is a member, as in Perl without `use utf8`.
    fn members(&mut self, c: char) {
        for b in c.encode_utf8(&mut [0; 4]).bytes() {
            self.byte(u32::from(b));
        }
    }

    /// `[:name:]` in a class; false, and nothing read, if it is none.
    fn posix(&mut self) -> bool {
        let name: String = self.chars.clone().skip(1).take_while(|c| c.is_ascii_lowercase() || *c == '^').collect();
        let mut behind = self.chars.clone().skip(1 + name.len());
        let known = behind.next() == Some(':') && behind.next() == Some(']');
        if known {
            self.out.push_str(&format!("[:{name}:]"));
            self.chars.nth(name.len() + 2);
        }
        known
    }

    /// `(` and what makes a group special. Flags that are set inside end with the group around.
    fn group(&mut self) -> Result<(), PatternError> {
        let outer = self.flags;
        if self.chars.peek() == Some(&'*') {
            return Err(PatternError::Unsupported("(*".to_owned()));
        }
        if self.chars.next_if_eq(&'?').is_none() {
            self.outer.push(outer);
            self.out.push('(');
            return Ok(());
        }
        let c = self.chars.next().ok_or(PatternError::Open("("))?;
        match c {
            '#' => {
                if !self.chars.any(|c| c == ')') {
                    return Err(PatternError::Open("(?#"));
                }
                return Ok(());
            }
            ':' | '=' | '!' | '>' => self.out.push_str(&format!("(?{c}")),
            '<' if matches!(self.chars.peek(), Some('=' | '!')) => {
                self.out.push_str("(?<");
                self.out.extend(self.chars.next());
            }
            '<' | '\'' => {
                let close = if c == '<' { '>' } else { '\'' };
                let name = self.name(close)?;
                self.out.push_str(&format!("(?<{name}>"));
            }
            'P' => match self.chars.next() {
                Some('<') => {
                    let name = self.name('>')?;
                    self.out.push_str(&format!("(?<{name}>"));
                }
                Some('=') => {
                    let name = self.name(')')?;
                    self.out.push_str(&format!(r"\k<{name}>"));
                    return Ok(());
                }
                _ => return Err(PatternError::Unsupported("(?P".to_owned())),
            },
            '^' | '-' | 'a'..='z' => return self.set_flags(c, outer),
            _ => return Err(PatternError::Unsupported(format!("(?{c}"))),
        }
        self.outer.push(outer);
        Ok(())
    }

    fn name(&mut self, close: char) -> Result<String, PatternError> {
        let mut name = String::new();
        for c in self.chars.by_ref() {
            if c == close {
                return Ok(name);
            }
            name.push(c);
        }
        Err(PatternError::Open("(?<"))
    }

    /// `(?ims-x)` and `(?ims-x:`.
    fn set_flags(&mut self, first: char, outer: Flags) -> Result<(), PatternError> {
        let (mut on, mut off, mut negative) = (String::new(), String::new(), false);
        let mut next = Some(first);
        loop {
            let c = next.ok_or(PatternError::Open("(?"))?;
            match c {
                '^' => {
                    off.push_str("ims");
                    self.flags = Flags::default();
                }
                '-' => negative = true,
                'i' | 'm' | 's' => {
                    off.retain(|o| o != c);
                    if negative {
                        off.push(c)
                    } else {
                        on.push(c)
                    }
                    if c == 'm' {
                        self.flags.multi_line = !negative;
                    }
                }
                'x' => self.flags.extended = !negative,
                // Character sets and matters of substitution: nothing to a match of bytes.
                'a' | 'u' | 'l' | 'd' | 'p' => {}
                ':' | ')' => {
                    let off = if off.is_empty() { off } else { format!("-{off}") };
                    if c == ':' {
                        self.out.push_str(&format!("(?{on}{off}:"));
                        self.outer.push(outer);
                    } else if !(on.is_empty() && off.is_empty()) {
                        self.out.push_str(&format!("(?{on}{off})"));
                    }
                    return Ok(());
                }
                _ => return Err(PatternError::Unsupported(format!("(?{c}"))),
            }
            next = self.chars.next();
        }
    }
}

/// Capture groups opened so far in a translated pattern.
fn groups(translated: &str) -> usize {
    let (mut count, mut class, mut escaped) = (0, false, false);
    let mut chars = translated.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => {
                let mut ahead = chars.clone();
                count += usize::from(match (ahead.next(), ahead.next(), ahead.next()) {
                    (Some('?'), Some('<'), Some(c)) => !matches!(c, '=' | '!'),
                    (Some('?'), ..) => false,
                    _ => true,
                });
            }
            _ => {}
        }
    }
    count
}
