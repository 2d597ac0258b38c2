//! What the file may say but the director doesn't execute: refused, never silently left out.

use super::Resolver;
use crate::config::diag::{Diagnostic, Spanned};
use crate::config::ldirectord_cf::{CheckType, Service, Shared, Virtual as Block};
use crate::ipvs::model::ServiceKey;

impl Resolver<'_> {
    /// Global directives without an effect here.
    pub(super) fn refuse_globals(&mut self) {
        let globals = &self.file.globals;
        self.refuse_shared(&globals.shared);
        for execute in &globals.execute {
            self.refuse(execute, "execute", "start that instance by itself, for instance as a resource of its own");
        }
        if let Some(dir) = &globals.maintenancedir {
            const INSTEAD: &str = "to take a server out by hand, set its weight to 0 with ipvsadm";
            let path = dir.value.trim_matches('"');
            if self.lookup.directory(path) {
                self.refuse(dir, "maintenancedir", INSTEAD);
            } else {
                // The original goes on too: there is no file that could take a server out.
                let warning = Diagnostic::warning(dir.span, "maintenance directory does not exist");
                self.found.push(warning.hint(format!("it would have no effect in this version; {INSTEAD}")));
            }
        }
    }

    /// Directives of a block without an effect here.
    pub(super) fn refuse_block(&mut self, block: &Block, key: Option<ServiceKey>) {
        self.refuse_shared(&block.shared);
        if let Some(file) = &block.monitorfile {
            match self.lookup.appendable(&file.value) {
                Ok(()) => self.refuse(file, "monitorfile", "the log and lvs-ha status tell what each check saw"),
                Err(reason) => {
                    let text = format!("unable to open monitorfile {}: {reason}", file.value);
                    self.found.push(Diagnostic::error(file.span, text));
                }
            }
        }
        match &block.checktype {
            Some(Spanned { value: CheckType::ExternalPerl, span }) => {
                let what = "checktype external-perl is not supported by this version";
                self.error(*span, what, "checktype=external runs any executable, a Perl script too");
            }
            Some(Spanned { value: CheckType::Combined(_), span }) => {
                let what = "a number as checktype is not supported by this version";
                self.error(*span, what, "checktype=negotiate or checktype=connect");
            }
            None | Some(Spanned { value: CheckType::Negotiate, .. }) => self.refuse_service(block, key),
            Some(_) => {}
        }
    }

    /// Services that can't be asked; the others, and none, pass.
    fn refuse_service(&mut self, block: &Block, key: Option<ServiceKey>) {
        let (service, span, why) = match (&block.service, &block.address, key) {
            (Some(written), ..) => (written.value, written.span, String::new()),
            (None, Some(address), Some(key)) => {
                let why = format!(" (port {} means service={})", key.port(), Service::of_port(key.port()).name());
                (Service::of_port(key.port()), address.span, why)
            }
            _ => return,
        };
        if !matches!(service, Service::Http | Service::Https | Service::None) {
            let what = format!("service {} is not supported by this version{why}", service.name());
            self.error(span, what, "checktype=connect, ping or external watch any server; service=none takes it for up");
        }
    }

    fn refuse_shared(&mut self, shared: &Shared) {
        // Without an address to send to, the original sends no mail either: smtp and its like alone have no effect.
        if let Some(address) = &shared.emailalert {
            self.refuse(address, "emailalert", "the log tells every change of the table");
        }
        if let Some(command) = &shared.fallbackcommand {
            self.refuse(command, "fallbackcommand", "fallback= names a server; the log tells when it is put in");
        }
    }

    fn refuse(&mut self, value: &Spanned<String>, name: &str, instead: &str) {
        self.error(value.span, format!("{name} is not supported by this version"), instead);
    }
}
