//! Directives outside of blocks.

use super::shared::{not_empty, yes_no};
use super::text::Line;
use super::{Globals, Scope, assignment, hints, server, shared, unknown_global};
use crate::config::diag::Diagnostic;
use crate::ipvs::model::Family;

/// Reads one line into `into`.
pub(super) fn directive(line: Line<'_>, into: &mut Globals, found: &mut Vec<Diagnostic>) {
    if supervised(line, into, found) {
        return;
    }
    let Some((name, value)) = assignment(line.text) else {
        found.push(hints::unknown(unknown_global(line), line.text, Scope::Global));
        return;
    };
    if shared::directive(name.bytes, value, Scope::Global, &mut into.shared, found) {
        return;
    }
    match name.bytes {
        b"autoreload" => yes_no("autoreload", value, &mut into.autoreload, found),
        b"fork" => yes_no("fork", value, &mut into.fork, found),
        b"readdquiescent" => yes_no("readdquiescent", value, &mut into.readdquiescent, found),
        b"callback" if value.quoted().is_some() => into.callback = value.quoted().map(|q| q.spanned()),
        b"logfile" if value.quoted().is_some() => into.logfile = value.quoted().map(|q| q.spanned()),
        b"execute" => into.execute.push(value.trim_end().spanned()),
        b"emailalertfrom" => not_empty(value, "no email from address specified", &mut into.emailalertfrom, found),
        b"maintenancedir" => not_empty(value, "maintenance directory not specified", &mut into.maintenancedir, found),
        b"fallback" => into.fallback = server::fallback(value, Family::Inet, found).or(into.fallback.take()),
        b"fallback6" => into.fallback6 = server::fallback(value, Family::Inet6, found).or(into.fallback6.take()),
        b"timeout" => {
            let text = "timeout directive deprecated in favour of checktimeout and negotiatetimeout";
            found.push(Diagnostic::error(line.text.trim_end().span(), text));
        }
        _ => found.push(hints::unknown(unknown_global(line), line.text, Scope::Global)),
    }
}

/// `supervised`, with a value or bare. Any word that begins like it is taken for it, as by the original.
fn supervised(line: Line<'_>, into: &mut Globals, found: &mut Vec<Diagnostic>) -> bool {
    let Some(rest) = line.text.strip_prefix(b"supervised") else { return false };
    if rest.is_blank() {
        let word = line.text.trim_end();
        let text = "please update your config not to use a bare supervised directive";
        found.push(Diagnostic::warning(word.span(), text).hint("write supervised=yes"));
        into.supervised = Some(word.with(true));
        return true;
    }
    match rest.trim_start().strip_prefix(b"=") {
        Some(value) => yes_no("supervised", value.trim_start(), &mut into.supervised, found),
        None => found.push(Diagnostic::error(line.text.trim_end().span(), "supervised must be 'yes' or 'no'")),
    }
    true
}
