//! `respawn`, `failfast` and `apiauth`: whether their users and commands exist, and which of them this version knows.

use super::{Diagnostic, Finding, Resolver, Which};
use crate::config::ha_cf;
use crate::config::settings::{Local, Respawn};

/// The user and the group that Heartbeat's packages create. Nothing here runs as either, so that they need not exist.
const PACKAGE_USER: &str = "hacluster";
const PACKAGE_GROUP: &str = "haclient";

/// cluster-glue's command.
const STONITH_COMMAND: &str = "/usr/sbin/stonith";

impl Resolver<'_> {
    /// What the lines ask this node to do beside heartbeats.
    pub(super) fn local(&mut self, me: &str) -> Local {
        let cf = self.files.ha_cf;
        let mut local = Local::default();
        for client in &cf.clients {
            self.child(client, &mut local);
        }
        for auth in &cf.apiauth {
            self.apiauth(auth);
        }
        for device in cf.stonith.iter().filter(|d| d.host.as_ref().is_none_or(|h| h == me)) {
            self.stonith(device, &mut local);
        }
        local.monitor = cf.monitor.unwrap_or(local.monitor);
        local.carrier = cf.carrier.as_ref().is_none_or(|c| c.value);
        local.reboot = cf.reboot.as_ref().is_none_or(|r| r.value);
        for program in &cf.notify {
            if !self.lookup.executable(&program.value) {
                self.error(program.span, format!("The program to notify [{}] is not executable", program.value));
            }
            local.notify.push(program.value.clone());
        }
        local
    }

    fn child(&mut self, client: &ha_cf::Client, local: &mut Local) {
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
            "ipfail" if known => local.ipfail = true,
            "ccm" if known => self.warn(client.span, "ccm has no effect here", "only a cluster resource manager needs it"),
            _ => {
                let (user, command) = (user.clone(), client.command.clone());
                local.respawn.push(Respawn { user, command, failfast: client.failfast });
            }
        }
    }

    /// A device that cannot be used would leave a dead node unfenced, and its shared disks with two writers.
    fn stonith(&mut self, device: &ha_cf::Device, local: &mut Local) {
        let kind = &device.stonith.kind;
        let program = if kind.starts_with("fence_") { format!("/usr/sbin/{kind}") } else { STONITH_COMMAND.to_owned() };
        if self.lookup.executable(&program) {
            local.stonith.push(device.stonith.clone());
            return;
        }
        let what = format!("The fencing device {kind} cannot be used: {program} is not there");
        let cause = if kind.starts_with("fence_") { "fence-agents" } else { "cluster-glue" };
        if self.files.ha_cf.unfenced.as_ref().is_some_and(|u| u.value) {
            self.warn(device.span, what, "`#lvs-ha: unfenced on`: a dead node's groups are taken without fencing it");
        } else {
            let hint = format!(
                "install {cause}; or, only if its resources cannot be harmed by running twice, add the line `#lvs-ha: unfenced on`"
            );
            self.error_hint(device.span, what, hint);
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
        let what = format!("apiauth {} has no effect here: the original's client socket is not offered", auth.client);
        let d = Diagnostic::warning(auth.span, what).hint("root and the group haclient may use the control socket");
        self.found.push(Finding::new(Which::HaCf, d));
    }
}
