//! `respawn`, `failfast` and `apiauth`: whether their users and commands exist, and which of them this version knows.

use super::{Diagnostic, Finding, Resolver, Which};
use crate::config::ha_cf;

/// The user and the group that Heartbeat's packages create. Nothing here runs as either, so that they need not exist.
const PACKAGE_USER: &str = "hacluster";
const PACKAGE_GROUP: &str = "haclient";

impl Resolver<'_> {
    pub(super) fn clients(&mut self) {
        let cf = self.files.ha_cf;
        for client in &cf.clients {
            self.child(client);
        }
        for auth in &cf.apiauth {
            self.apiauth(auth);
        }
    }

    fn child(&mut self, client: &ha_cf::Client) {
        let path = &client.path.value;
        let base = path.rsplit('/').next().unwrap_or_default();
        let user = &client.user.value;
        let known = !client.failfast && matches!(base, "ipfail" | "ccm");
        if self.lookup.user(user).is_none() && !(known && user == PACKAGE_USER) {
            return self.error(client.user.span, format!("Invalid uid [{user}] specified for client child"));
        }
        // The known ones are found by name wherever a tutorial of whatever distribution puts them.
        match base {
            _ if !known && !self.lookup.executable(path) => {
                self.error(client.path.span, format!("Client child command [{path}] is not executable"));
            }
            "ipfail" if known => self.warn(
                client.span,
                "respawn of ipfail is not acted on in this version of lvs-ha",
                "resources do not move when a ping node is lost on one side",
            ),
            "ccm" if known => self.warn(client.span, "ccm has no effect here", "only a cluster resource manager needs it"),
            _ => {
                let name = if client.failfast { "failfast" } else { "respawn" };
                let what = format!("{name} of {path} is not available in this version of lvs-ha");
                self.error_hint(
                    client.span,
                    what,
                    "only `respawn` of ipfail is known; start other programs from the system's init",
                );
            }
        }
    }

    fn apiauth(&mut self, auth: &ha_cf::ApiAuth) {
        let bad_user = auth.users.iter().find(|u| u.value != PACKAGE_USER && self.lookup.user(&u.value).is_none()).cloned();
        let bad_group = auth.groups.iter().find(|g| g.value != PACKAGE_GROUP && self.lookup.group(&g.value).is_none()).cloned();
        for (bad, kind, all, list) in [(&bad_user, "user id", &auth.users, "uid"), (&bad_group, "group", &auth.groups, "gid")] {
            if let Some(bad) = bad {
                self.preface(format!("Invalid {kind} name [{}]", bad.value));
                let all: Vec<&str> = all.iter().map(|w| w.value.as_str()).collect();
                self.preface(format!("Bad {list} list [{}]", all.join(",")));
            }
        }
        if bad_user.is_some() || bad_group.is_some() {
            for d in ha_cf::invalid_apiauth(auth.span, &auth.text) {
                self.found.push(Finding::new(Which::HaCf, d));
            }
            return;
        }
        let what = format!("apiauth {} is not acted on in this version of lvs-ha", auth.client);
        let d = Diagnostic::warning(auth.span, what).hint("root and the group haclient may use the control socket");
        self.found.push(Finding::new(Which::HaCf, d));
    }
}
