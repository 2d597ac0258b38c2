//! The directives of `ha.cf` that name links and ping nodes.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::line::Line;
use super::{Diagnostic, Medium, Ping, Reader, Spanned};

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
            "serial" => {
                let span = word.span;
                self.file.media.push(Spanned::new(Medium::Serial { device: word.value }, span));
            }
            "ping" | "ping6" => self.file.ping.push(Ping { name: word.clone(), hosts: vec![word], group: false }),
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

    /// `mcast IF GROUP PORT TTL LOOP`; `mcast6` has the same fields.
    fn mcast(&mut self, line: &Line<'_>) {
        let expected = "expected mcast INTERFACE GROUP PORT TTL LOOP, such as mcast eth0 239.0.0.43 694 1 0";
        let Some((interface, fields)) = self.mcast_fields(line, expected) else { return };
        let [place, group, rest @ ..] = fields.as_slice() else { return };
        let address = group.value.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_multicast);
        if address.is_none() {
            let what = format!("glib: mcast [{interface}] bad addr [{}]", group.value);
            self.found.push(Diagnostic::error(group.span, what).hint("expected an address from 224.0.0.0 to 239.255.255.255"));
        }
        if let (Some((port, ttl, looped)), Some(group)) = (self.mcast_numbers("mcast", &interface, rest, 4), address) {
            self.file.media.push(Spanned::new(Medium::Mcast { interface, group, port, ttl, looped }, place.span));
        }
    }

    fn mcast6(&mut self, line: &Line<'_>) {
        let expected = "expected mcast6 INTERFACE GROUP PORT HOPS LOOP, such as mcast6 eth0 ff02::43 694 1 0";
        let Some((interface, fields)) = self.mcast_fields(line, expected) else { return };
        let [place, group, rest @ ..] = fields.as_slice() else { return };
        let address = group.value.parse::<Ipv6Addr>().ok().filter(Ipv6Addr::is_multicast);
        if address.is_none() {
            self.error(group.span, format!("glib:  mcast6 [{interface}] bad addr [{}]", group.value));
        }
        if let (Some((port, hops, looped)), Some(group)) = (self.mcast_numbers("mcast6", &interface, rest, 255), address) {
            self.file.media.push(Spanned::new(Medium::Mcast6 { interface, group, port, hops, looped }, place.span));
        }
    }

    /// The interface's name and all five fields.
    fn mcast_fields(&mut self, line: &Line<'_>, expected: &str) -> Option<(String, Vec<Spanned<String>>)> {
        let fields = line.fields();
        let name = line.name.value.as_str();
        let interface = fields.first().map_or("", |f| f.value.as_str()).to_owned();
        let address = format!("{name} address");
        let missing = ["interface", &address, "port", "ttl", "loop"];
        if let Some(what) = missing.get(fields.len()) {
            let what = format!("glib: {name} [{interface}] missing {what}");
            self.found.push(Diagnostic::error(line.span(), what).hint(expected));
            return None;
        }
        Some((interface, fields))
    }

    /// Port, time to live and loop.
    fn mcast_numbers(
        &mut self,
        name: &str,
        interface: &str,
        fields: &[Spanned<String>],
        farthest: u16,
    ) -> Option<(u16, u8, bool)> {
        let [port, ttl, looped, ..] = fields else { return None };
        let number = |word: &Spanned<String>, most: u16| super::value::number(&word.value, 0..=most);
        let port_number = number(port, u16::MAX).filter(|p| *p > 0);
        if port_number.is_none() {
            self.error(port.span, format!("glib:  {name} [{interface}] bad port [{}]", port.value));
        }
        let hops = number(ttl, farthest).and_then(|n| u8::try_from(n).ok());
        if hops.is_none() {
            let what = format!("glib:  {name} [{interface}] bad ttl [{}]", ttl.value);
            self.found.push(Diagnostic::error(ttl.span, what).hint(format!("expected 0 to {farthest}")));
        }
        let own = number(looped, 1);
        if own.is_none() {
            let what = format!("glib:  {name} [{interface}] bad loop [{}]", looped.value);
            self.found.push(Diagnostic::error(looped.span, what).hint("expected 0 or 1"));
        }
        Some((port_number?, hops?, own? == 1))
    }

    fn ucast6(&mut self, line: &Line<'_>) {
        let mut fields = line.fields().into_iter();
        match (fields.next(), fields.next()) {
            (Some(interface), Some(host)) => {
                self.file.media.push(Spanned::new(Medium::Ucast6 { interface: interface.value, host }, interface.span));
            }
            (interface, _) => {
                let interface = interface.map_or(String::new(), |i| i.value);
                let d = Diagnostic::error(line.span(), format!("glib: ucast6 [{interface}] missing ucast6 address"));
                self.found.push(d.hint("expected ucast6 INTERFACE HOST"));
            }
        }
    }
}
