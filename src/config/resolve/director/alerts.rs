//! Who is told of what: `emailalert` and its family, webhook and hook.

use super::{Resolver, seconds};
use crate::config::diag::Diagnostic;
use crate::config::ldirectord_cf::Virtual as Block;
use crate::director::alert::{Phase, addresses};
use crate::director::plan::{Alerts, Mail};

impl Resolver<'_> {
    pub(super) fn alerts(&mut self, block: &Block) -> Alerts {
        let globals = &self.file.globals;
        let (own, shared) = (&block.shared, &globals.shared);
        let value = |own: &Option<_>, shared: &Option<_>| own.as_ref().or(shared.as_ref()).cloned();
        let phases = own.emailalertstatus.as_ref().or(shared.emailalertstatus.as_ref()).map_or(Phase::ALL.to_vec(), |words| {
            let all = words.value.iter().any(|w| w == "all");
            Phase::ALL.into_iter().filter(|p| all || words.value.iter().any(|w| w == p.word())).collect()
        });
        let mail = own.emailalert.as_ref().or(shared.emailalert.as_ref()).map(|to| {
            let mail = Mail {
                to: addresses(&to.value),
                from: globals.emailalertfrom.as_ref().map(|from| bare(&from.value).to_owned()),
                smtp: value(&own.smtp, &shared.smtp).map(|s| s.value),
                phases,
            };
            (mail, to.span)
        });
        let mail = mail.and_then(|(mail, span)| {
            if mail.to.is_empty() {
                self.found.push(Diagnostic::error(span, "no email address specified"));
                return None;
            }
            Some(mail)
        });
        let frequency = own.emailalertfreq.as_ref().or(shared.emailalertfreq.as_ref());
        Alerts {
            mail,
            repeat: seconds(frequency.map_or(0, |n| n.value)),
            webhook: value(&own.webhook, &shared.webhook).map(|s| s.value),
            hook: value(&own.hook, &shared.hook).map(|s| s.value),
        }
    }
}

/// Without quotes around all of it, which the parser leaves.
fn bare(value: &str) -> &str {
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value)
}
