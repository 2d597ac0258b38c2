//! The directives of `ha.cf` about programs and fencing devices: `respawn`, `failfast`, `apiauth`, `stonith`.

use super::line::Line;
use super::{ApiAuth, Client, Device, Diagnostic, Reader, Span, Spanned, Stonith};
use crate::config::settings::StonithParams;

/// The device types of cluster-glue 1.0.12.
const STONITH_TYPES: &[&str] = &[
    "apcmaster",
    "apcmastersnmp",
    "apcsmart",
    "baytech",
    "bladehpi",
    "cyclades",
    "drac3",
    "ibmhmc",
    "ipmilan",
    "meatware",
    "null",
    "nw_rpc100s",
    "rcd_serial",
    "rhcs",
    "rps10",
    "ssh",
    "suicide",
    "wti_mpc",
    "wti_nps",
];

impl Reader<'_> {
    pub(super) fn client(&mut self, line: &Line<'_>) {
        match line.name.value.as_str() {
            "apiauth" => self.apiauth(line),
            "stonith" => self.stonith(line, 0),
            "stonith_host" => self.stonith(line, 1),
            name => self.child(line, name == "failfast"),
        }
    }

    /// `respawn USER COMMAND...`, `failfast USER COMMAND...`.
    fn child(&mut self, line: &Line<'_>, failfast: bool) {
        let fields = line.fields();
        let end = Spanned::new(String::new(), Span::new(line.rest.end, line.rest.end));
        let user = fields.first().cloned().unwrap_or_else(|| end.clone());
        let path = fields.get(1).cloned().unwrap_or(end);
        if user.value.is_empty() {
            self.error(line.span(), format!("Invalid uid [{}] specified for client child", user.value));
        } else if !path.value.starts_with('/') {
            let span = if path.value.is_empty() { line.span() } else { path.span };
            let what = format!("Client child command [{}] is not full pathname", path.value);
            self.found.push(Diagnostic::error(span, what).hint(format!("expected {} USER /PATH ARGUMENTS...", line.name.value)));
        } else {
            let command = line.text_from(path.span.start);
            self.file.clients.push(Client { user, path, command, failfast, span: line.span() });
        }
    }

    fn apiauth(&mut self, line: &Line<'_>) {
        let text = line.rest_text();
        let mut fields = line.fields().into_iter();
        let client = fields.next().map_or(String::new(), |f| f.value);
        let mut auth = ApiAuth { client, users: Vec::new(), groups: Vec::new(), text, span: line.span() };
        let before = self.found.len();
        let mut given = 0;
        for field in fields {
            given += 1;
            let (list, kind) = match field.value.get(..4) {
                Some("uid=") => (&mut auth.users, "uid"),
                Some("gid=") => (&mut auth.groups, "gid"),
                _ => {
                    self.preface("Missing uid or gid in apiauth");
                    continue;
                }
            };
            if !list.is_empty() {
                self.preface(format!("Duplicate {kind} list in apiauth"));
                continue;
            }
            let mut at = field.span.start + 4;
            for name in field.value.get(4..).unwrap_or_default().split(',') {
                if !name.is_empty() {
                    list.push(Spanned::new(name.to_owned(), Span::new(at, at + name.len())));
                }
                at += name.len() + 1;
            }
        }
        if self.found.len() == before && self.file.apiauth.iter().any(|a| a.client == auth.client) {
            self.preface(format!("Duplicate apiauth directive for API client {}: [{}]", auth.client, auth.text));
        }
        if self.found.len() > before || given == 0 {
            self.found.extend(invalid_apiauth(auth.span, &auth.text));
        } else {
            self.file.apiauth.push(auth);
        }
    }

    /// `stonith TYPE FILE` and, with the host in front, `stonith_host HOST TYPE PARAMETERS`.
    fn stonith(&mut self, line: &Line<'_>, at: usize) {
        let fields = line.fields();
        let Some(kind) = fields.get(at) else {
            return self.error(line.span(), "No Stonith type given");
        };
        let known = STONITH_TYPES.contains(&kind.value.as_str()) || kind.value.starts_with("external/");
        // A fence agent has no type in the original: it is ours, for machines without cluster-glue.
        if !known && !kind.value.starts_with("fence_") {
            return self.error(kind.span, format!("Invalid Stonith type [{}]", kind.value));
        }
        let rest: Vec<String> = fields.get(at + 1..).unwrap_or_default().iter().map(|f| f.value.clone()).collect();
        let (host, params) = match (at, rest.first()) {
            (0, Some(file)) => (None, StonithParams::File(file.clone())),
            (0, None) => (None, StonithParams::Words(Vec::new())),
            _ => (fields.first().map(|f| f.value.to_lowercase()).filter(|h| h != "*"), StonithParams::Words(rest)),
        };
        let stonith = Stonith { kind: kind.value.clone(), params };
        self.file.stonith.push(Device { host, stonith, span: line.span() });
    }
}

/// What the original says about an `apiauth` line that it cannot use, after the reason.
pub(in crate::config) fn invalid_apiauth(span: Span, text: &str) -> Vec<Diagnostic> {
    let mut out = vec![Diagnostic::error(span, format!("Invalid apiauth directive [{text}]"))];
    for line in [
        "Syntax: apiauth client [uid=uidlist] [gid=gidlist]",
        "Where uidlist is a comma-separated list of uids,",
        "and gidlist is a comma-separated list of gids",
        "One or the other must be specified.",
    ] {
        out.push(Diagnostic::info(line));
    }
    out
}
