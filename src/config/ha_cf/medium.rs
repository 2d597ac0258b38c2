//! The directives of `ha.cf` that name links and ping nodes.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::line::Line;
use super::{Diagnostic, Medium, Ping, Reader, Span, Spanned};

impl Reader<'_> {
    pub(super) fn medium(&mut self, line: &Line<'_>) {
        match line.name.value.as_str() {
            "ping_group" => self.ping_group(line),
            "ucast" => self.ucast(line),
            "mcast" => self.mcast(line),
            "ucast6" => self.ucast6(line),
            "mcast6" => self.mcast6(line),
            name => {
                let values = line.values();
                if values.is_empty() {
                    self.no_value(line);
                }
                if name == "udp" {
                    self.found.push(Diagnostic::warning(line.name.span, "WARNING: directive 'udp' replaced by 'bcast'"));
                }
                for word in values {
                    self.one(name, word);
                }
            }
        }
    }

    /// Directives of which each value is a link or a node of its own.
    fn one(&mut self, name: &str, word: Spanned<String>) {
        match name {
            "serial" => self.unavailable(
                word.span,
                &format!("serial {}", word.value),
                "remove the line, and have another ucast, bcast or mcast link in its place",
            ),
            "ping6" => self.unavailable(word.span, &format!("ping6 {}", word.value), "name an IPv4 address with `ping`"),
            "ping" => self.file.ping.push(Ping { name: word.clone(), hosts: vec![word], group: false }),
            _ => {
                let span = word.span;
                self.file.media.push(Spanned::new(Medium::Bcast { interface: word.value }, span));
            }
        }
    }

    fn ping_group(&mut self, line: &Line<'_>) {
        let mut fields = line.values().into_iter();
        let Some(name) = fields.next() else {
            let what = format!("ping_group in {} has no name", self.shown);
            self.found.push(Diagnostic::error(line.name.span, what).hint("expected ping_group NAME HOST..."));
            return;
        };
        let hosts: Vec<_> = fields.collect();
        if hosts.is_empty() {
            let what = format!("ping_group [{}] in {} has no hosts", name.value, self.shown);
            self.found.push(Diagnostic::error(name.span, what).hint("expected ping_group NAME HOST..."));
            return;
        }
        self.file.ping.push(Ping { name, hosts, group: true });
    }

    fn ucast(&mut self, line: &Line<'_>) {
        let mut fields = line.fields().into_iter();
        match (fields.next(), fields.next()) {
            (Some(interface), Some(host)) => {
                self.file.media.push(Spanned::new(Medium::Ucast { interface: interface.value, host }, interface.span));
            }
            // The original crashes without an interface; with one it says this.
            (interface, _) => {
                let what =
                    format!("glib: ucast: [{}] missing target IP address/hostname", interface.map_or(String::new(), |i| i.value));
                self.found.push(Diagnostic::error(line.span(), what).hint("expected ucast INTERFACE HOST"));
            }
        }
    }

    fn mcast(&mut self, line: &Line<'_>) {
        let fields = line.fields();
        let expected = "expected mcast INTERFACE GROUP PORT TTL LOOP, such as mcast eth0 239.0.0.43 694 1 0";
        let (interface, place) = fields.first().map_or((String::new(), line.span()), |f| (f.value.clone(), f.span));
        let missing = ["interface", "mcast address", "port", "ttl", "loop"];
        if let Some(what) = missing.get(fields.len()) {
            let what = format!("glib: mcast [{interface}] missing {what}");
            self.found.push(Diagnostic::error(line.span(), what).hint(expected));
            return;
        }
        let [_, group, port, ttl, looped, ..] = fields.as_slice() else { return };
        let before = self.found.len();
        let address = group.value.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_multicast);
        if address.is_none() {
            let what = format!("glib: mcast [{interface}] bad addr [{}]", group.value);
            self.found.push(Diagnostic::error(group.span, what).hint("expected an address from 224.0.0.0 to 239.255.255.255"));
        }
        let number = |word: &Spanned<String>, most: u16| super::value::number(&word.value, 0..=most);
        let port_number = number(port, u16::MAX).filter(|p| *p > 0);
        if port_number.is_none() {
            self.error(port.span, format!("glib:  mcast [{interface}] bad port [{}]", port.value));
        }
        let hops = number(ttl, 4).and_then(|n| u8::try_from(n).ok());
        if hops.is_none() {
            let what = format!("glib:  mcast [{interface}] bad ttl [{}]", ttl.value);
            self.found.push(Diagnostic::error(ttl.span, what).hint("expected 0 to 4"));
        }
        let own = number(looped, 1);
        if own.is_none() {
            let what = format!("glib:  mcast [{interface}] bad loop [{}]", looped.value);
            self.found.push(Diagnostic::error(looped.span, what).hint("expected 0 or 1"));
        }
        if let (Some(group), Some(port), Some(ttl), Some(own), true) =
            (address, port_number, hops, own, before == self.found.len())
        {
            self.file.media.push(Spanned::new(Medium::Mcast { interface, group, port, ttl, looped: own == 1 }, place));
        }
    }

    fn ucast6(&mut self, line: &Line<'_>) {
        let fields = line.fields();
        let interface = fields.first().map_or("", |f| f.value.as_str());
        match fields.get(1) {
            None => self.error(line.span(), format!("glib: ucast6 [{interface}] missing ucast6 address")),
            Some(_) => self.no_ipv6(line.span(), "ucast6", "ucast"),
        }
    }

    fn mcast6(&mut self, line: &Line<'_>) {
        let fields = line.fields();
        let interface = fields.first().map_or("", |f| f.value.as_str());
        match fields.get(1) {
            None => self.error(line.span(), format!("glib: mcast6 [{interface}] missing mcast6 address")),
            Some(group) if !group.value.parse::<Ipv6Addr>().is_ok_and(|a| a.is_multicast()) => {
                self.error(group.span, format!("glib:  mcast6 [{interface}] bad addr [{}]", group.value));
            }
            Some(_) => self.no_ipv6(line.span(), "mcast6", "mcast"),
        }
    }

    fn no_ipv6(&mut self, span: Span, name: &str, instead: &str) {
        self.unavailable(span, name, &format!("use `{instead}` with IPv4 addresses"));
    }
}
