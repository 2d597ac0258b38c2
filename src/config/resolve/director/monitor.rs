//! A check as a line of the monitor file names it: what the original knows it by, each run of colons a blank.

use super::Resolver;
use super::check::service;
use crate::config::ldirectord_cf::{CheckType, Real as Line, Virtual as Block};
use crate::ipvs::model::{DestKey, Forward, ServiceKey};

impl Resolver<'_> {
    /// Kind of check, protocol, address, port, virtual host, checkport, weight, method, request, receive; what is empty is
    /// left out.
    pub(super) fn label(&self, block: &Block, line: &Line, key: ServiceKey, real: DestKey) -> String {
        let named = |word: &str| match service(block, Some(key)) {
            Some(service) => format!("{word} {}", service.name()),
            None => word.to_owned(),
        };
        let kind = match block.checktype.as_ref().map_or(CheckType::Negotiate, |c| c.value) {
            CheckType::Negotiate => named("negotiate"),
            CheckType::Combined(_) => named("combined"),
            CheckType::Connect => "connect".to_owned(),
            CheckType::Ping => "ping".to_owned(),
            CheckType::On => "on".to_owned(),
            CheckType::Off => "off".to_owned(),
            CheckType::External => format!("external {}", block.checkcommand.as_ref().map_or("", |c| c.value.as_str())),
            CheckType::ExternalPerl => {
                format!("external-perl {}", block.checkcommand.as_ref().map_or("", |c| c.value.as_str()))
            }
        };
        let protocol = match key {
            ServiceKey::Addr { protocol, .. } => protocol.name(),
            ServiceKey::Fwmark { .. } => "fwm",
        };
        let method = match line.forward {
            Some(Forward::Masq) => "masq",
            Some(Forward::Ipip) => "ipip",
            _ => "gate",
        };
        let (request, receive) = match &line.check {
            Some((request, receive)) => (request.value.clone(), receive.value.clone()),
            None => {
                let value = |v: &Option<crate::config::diag::Spanned<String>>| v.as_ref().map(|s| s.value.clone());
                (value(&block.request).unwrap_or_default(), value(&block.receive).unwrap_or_default())
            }
        };
        let request = if request.starts_with('/') { request } else { format!("/{request}") };
        let fields = [
            kind,
            protocol.to_owned(),
            real.addr.to_string(),
            if real.port > 0 { real.port.to_string() } else { String::new() },
            block.virtualhost.as_ref().map_or(String::new(), |h| h.value.clone()),
            block.checkport.as_ref().map_or(String::new(), |p| p.value.to_string()),
            line.weight.to_string(),
            method.to_owned(),
            colons(&request),
            colons(&receive),
        ];
        let fields: Vec<String> = fields.into_iter().filter(|f| !f.is_empty()).collect();
        fields.join(" ")
    }
}

/// Each run of colons as one blank, but for those of an address.
fn colons(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ':' if out.ends_with(' ') => {}
            ':' => out.push(' '),
            '\r' | '\n' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
