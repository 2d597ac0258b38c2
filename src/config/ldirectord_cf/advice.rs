//! What a file says without being wrong, and its writer probably did not mean. The original says nothing about it: shown to
//! who asks for a check of the file, not at each start.

use super::text::blank;
use super::{Address, CheckType, File, Real, Service, Shared, Virtual};
use crate::config::diag::{Diagnostic, Span, Spanned};
use crate::ipvs::model::Forward;

/// The advice on a parsed file of these bytes, in the file's order.
#[must_use]
pub fn advice(bytes: &[u8], file: &File) -> Vec<Diagnostic> {
    let mut advisor = Advisor { bytes, found: Vec::new() };
    advisor.line_ends();
    advisor.seconds(&file.globals.shared);
    for block in &file.virtuals {
        advisor.block(block);
    }
    advisor.found.sort_by_key(|d| d.span.map_or(usize::MAX, |s| s.start));
    advisor.found
}

struct Advisor<'a> {
    bytes: &'a [u8],
    found: Vec<Diagnostic>,
}

impl Advisor<'_> {
    fn warn(&mut self, span: Span, what: impl Into<String>, hint: impl Into<String>) {
        self.found.push(Diagnostic::warning(span, what).hint(hint));
    }

    /// A file from Windows: most values do not mind, some do.
    fn line_ends(&mut self) {
        let count = self.bytes.windows(2).filter(|w| w == b"\r\n").count();
        if let Some(at) = self.bytes.windows(2).position(|w| w == b"\r\n") {
            let what = format!("this file has the line ends of Windows, a carriage return each ({count})");
            self.warn(Span::new(at, at), what, "convert it, for instance with dos2unix");
        }
    }

    /// What stands between `from` and the end of the line, without blanks around it; none of a comment.
    fn behind(&self, from: usize) -> Option<Span> {
        let rest = self.bytes.get(from..)?;
        let line = rest.iter().position(|&b| b == b'\n').map_or(rest, |end| rest.get(..end).unwrap_or(rest));
        let text = line.iter().position(|&b| b == b'#').map_or(line, |at| line.get(..at).unwrap_or(line));
        let first = text.iter().position(|&b| !blank(b))?;
        let last = text.iter().rposition(|&b| !blank(b))?;
        Some(Span::new(from + first, from + last + 1))
    }

    fn text(&self, span: Span) -> String {
        String::from_utf8_lossy(self.bytes.get(span.range()).unwrap_or_default()).into_owned()
    }

    /// Numbers of seconds with a unit or a fraction behind them: only the first digits are read.
    fn seconds(&mut self, of: &Shared) {
        for value in [&of.checktimeout, &of.negotiatetimeout, &of.checkinterval, &of.emailalertfreq].into_iter().flatten() {
            self.whole_seconds(value);
        }
    }

    fn whole_seconds(&mut self, value: &Spanned<u32>) {
        let Some(rest) = self.behind(value.span.end) else { return };
        if matches!(self.text(rest).as_str(), "s" | "sec" | "second" | "seconds") {
            return;
        }
        let span = Span::new(value.span.start, rest.end);
        self.warn(span, format!("this is read as {} s", value.value), "a whole number of seconds, without a unit");
    }

    fn block(&mut self, block: &Virtual) {
        self.seconds(&block.shared);
        block.persistent.iter().for_each(|p| self.whole_seconds(p));
        if let Some(Address::Host { port, .. }) = block.address.as_ref().map(|a| &a.value)
            && let Some(rest) = self.behind(port.span.end)
        {
            self.warn(rest, "this is not read", "one address and one port: others need a virtual= of their own");
        }
        if block.address.is_some() && block.reals.is_empty() && block.fallback.is_none() {
            self.warn(block.head, "this virtual service has no real server", "real=ADDRESS:PORT METHOD, indented below it");
        }
        self.dns(block);
        for (n, real) in block.reals.iter().enumerate() {
            self.real(block, real, block.reals.get(..n).unwrap_or_default());
        }
    }

    /// A dns check without receive: none of its servers is ever up.
    fn dns(&mut self, block: &Virtual) {
        let negotiates = match block.checktype.as_ref().map(|c| &c.value) {
            None | Some(CheckType::Negotiate | CheckType::Combined(_)) => true,
            Some(_) => false,
        };
        let port = match block.address.as_ref().map(|a| &a.value) {
            Some(Address::Host { port, .. }) => port.value.parse().ok(),
            _ => None,
        };
        let service = block.service.as_ref().map(|s| s.value).or_else(|| port.map(Service::of_port));
        if negotiates
            && service == Some(Service::Dns)
            && block.receive.is_none()
            && block.reals.iter().any(|real| real.check.is_none())
        {
            let span = block.request.as_ref().map_or(block.head, |r| r.span);
            let hint = "no answer is the right one: receive= names it; as it is every server will be down";
            self.warn(span, "a dns check without receive", hint);
        }
    }

    /// `before`: the real servers above it in its block.
    fn real(&mut self, block: &Virtual, real: &Real, before: &[Real]) {
        let Some(Address::Host { host, port }) = block.address.as_ref().map(|a| &a.value) else {
            if before.iter().any(|b| same(b, real, "")) {
                self.duplicate(real);
            }
            return;
        };
        if before.iter().any(|b| same(b, real, &port.value)) {
            self.duplicate(real);
        }
        let written = real.port.as_ref().map_or("", |p| p.value.as_str());
        if !written.is_empty()
            && written != port.value
            && real.forward.is_some_and(|f| f != Forward::Masq)
            && both_numbers(written, &port.value)
        {
            let span = real.port.as_ref().map_or(real.span, |p| p.span);
            let what = format!("clients are sent to port {}, only the check goes to port {written}", port.value);
            self.warn(span, what, "gate and ipip can't change the port: use masq, or checkport= if this is meant");
        }
        if real.host.value == host.value && (written == port.value || written.is_empty()) {
            self.warn(real.host.span, "this is the virtual service itself", "the address of a real server");
        }
    }

    fn duplicate(&mut self, real: &Real) {
        let hint =
            "both lines are one entry in the table: the later one's method and weight are used, and both checks must say up";
        self.warn(real.span, "duplicate real server", hint);
    }
}

/// Whether two lines of a block are one entry of the table. Only masquerading keeps a port of its own.
fn same(a: &Real, b: &Real, service: &str) -> bool {
    let port = |real: &Real| match (&real.port, real.forward) {
        (Some(port), Some(Forward::Masq)) => port.value.clone(),
        (Some(port), _) if service.is_empty() => port.value.clone(),
        (None, Some(Forward::Masq)) => String::new(),
        _ => service.to_owned(),
    };
    let last = |real: &Real| real.last.as_ref().map(|l| l.value.clone());
    a.host.value == b.host.value && last(a) == last(b) && port(a) == port(b)
}

/// Names of services may mean the same port as a number.
fn both_numbers(a: &str, b: &str) -> bool {
    [a, b].iter().all(|p| p.bytes().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// Line and text of each piece of advice.
    fn advised(text: &str) -> Vec<String> {
        let (file, found) = parse(text.as_bytes());
        assert!(found.is_empty(), "{found:?}");
        let source = crate::config::diag::Source::new("f", text);
        let place = |d: &Diagnostic| source.line_column(d.span.unwrap().start).0;
        advice(text.as_bytes(), &file).iter().map(|d| format!("{}: {}", place(d), d.what)).collect()
    }

    #[test]
    fn a_usual_file_is_left_alone() {
        let text = "checktimeout=3 # s\ncheckinterval=1s\nvirtual=10.0.0.1:80\n\treal=10.0.0.2:80 gate\n\treal=10.0.0.3 gate 5\n\
                    \treal=10.0.0.4:8080 masq\n\treal=10.0.0.4:8081 masq\nvirtual=10.0.0.1:http # web\n\treal=10.0.0.2:80 gate\n\
                    virtual=5\n\treal=10.0.0.2 gate\n\treal=10.0.0.2:81 gate\n";
        assert_eq!(advised(text), [""; 0]);
    }

    #[test]
    fn what_is_read_otherwise_than_written_is_told() {
        let text = "checkinterval=500ms\nvirtual=10.0.0.1:80,443\n\treal=10.0.0.2:80 gate\n\treal=10.0.0.2 gate 5\n\
                    \treal=10.0.0.3:8080 gate\n\treal=10.0.0.1:80 gate\n\tpersistent=1.5\nvirtual=10.0.0.9:80\r\n";
        let want = [
            "1: this is read as 500 s",
            "2: this is not read",
            "4: duplicate real server",
            "5: clients are sent to port 80, only the check goes to port 8080",
            "6: this is the virtual service itself",
            "7: this is read as 1 s",
            "8: this virtual service has no real server",
            "8: this file has the line ends of Windows, a carriage return each (1)",
        ];
        assert_eq!(advised(text), want);
    }

    #[test]
    fn dns_without_receive_finds_nobody_up() {
        let block = |rest: &str| advised(&format!("virtual=10.0.0.1:53\n\treal=10.0.0.2:53 masq\n{rest}"));
        assert_eq!(block("\trequest=\"www.test\"\n"), ["3: a dns check without receive"]);
        assert_eq!(block("\tservice=dns\n\tchecktype=3\n"), ["1: a dns check without receive"]);
        for good in ["\treceive=\"1\"\n", "\tchecktype=connect\n", "\tservice=none\n"] {
            assert_eq!(block(good), [""; 0], "{good}");
        }
    }
}
