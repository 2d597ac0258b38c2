//! What the file may say but the director doesn't execute: refused, never silently left out.

use super::Resolver;
use crate::config::diag::Spanned;
use crate::config::ldirectord_cf::{CheckType, Service, Virtual as Block};
use crate::ipvs::model::ServiceKey;

impl Resolver<'_> {
    /// Directives of a block without an effect here.
    pub(super) fn refuse_block(&mut self, block: &Block, key: Option<ServiceKey>) {
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
}
