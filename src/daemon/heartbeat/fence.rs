//! Cutting a dead node off with the devices of `stonith` and `stonith_host`, by cluster-glue's command or a fence agent.

use std::sync::Arc;
use std::time::Duration;

use super::core::ToCore;
use super::edge::Edge;
use crate::agents::exec::{self, How, Program};
use crate::cluster::io::{Input, Level};
use crate::config::settings::{Stonith, StonithParams};

/// Until the node is off or there again, each device is tried once in so long.
const AGAIN: Duration = Duration::from_secs(5);
/// A device may take its time.
const LIMIT: Duration = Duration::from_secs(120);

impl Edge {
    /// Tries until it has worked, or the node speaks again.
    pub(super) async fn fence(self: Arc<Self>, node: String) {
        loop {
            for device in &self.settings.local.stonith {
                let program = program(device, &node);
                self.log.write(Level::Info, &format!("Resetting node {node} with [{}]", device.kind));
                let (log, prefix) = (self.log.clone(), device.kind.clone());
                let line = Arc::new(move |text: &str| log.write(Level::Info, &format!("{prefix}: {text}")));
                let how = match exec::run(&program, &self.environment, LIMIT, line).await {
                    Ok(ended) if ended.how == How::Exited(0) => {
                        self.log.write(Level::Info, &format!("node {node} now reset."));
                        self.tell_core(ToCore::Input(Input::Fenced { node })).await;
                        return;
                    }
                    Ok(ended) => ended.how.to_string(),
                    Err(e) => e.to_string(),
                };
                self.log
                    .write(Level::Error, &format!("STONITH of {node} failed.  Retrying... ({} {how})", program.path.display()));
            }
            tokio::time::sleep(AGAIN).await;
            let Some((view, _)) = self.view().await else { return };
            if !view.nodes.iter().any(|n| n.name == node && n.status == "dead") {
                return;
            }
        }
    }
}

/// The command that resets `node`. A fence agent reads its parameters from standard input, where nobody sees them.
fn program(device: &Stonith, node: &str) -> Program {
    let file = |path: &String| std::fs::read_to_string(path).unwrap_or_default();
    if device.kind.starts_with("fence_") {
        let mut lines: Vec<String> = match &device.params {
            StonithParams::File(path) => file(path).lines().map(str::to_owned).collect(),
            StonithParams::Words(words) => words.clone(),
        };
        let given = |name: &str| lines.iter().any(|l| l.split('=').next().is_some_and(|n| n.trim() == name));
        let (action, port) = (!given("action"), !given("port") && !given("plug"));
        lines.extend(action.then(|| "action=reboot".to_owned()));
        lines.extend(port.then(|| format!("port={node}")));
        let lines = lines.join("\n") + "\n";
        let path = format!("/usr/sbin/{}", device.kind).into();
        return Program { path, name: None, args: Vec::new(), input: lines.into_bytes() };
    }
    let mut args = vec!["-t".to_owned(), device.kind.clone()];
    match &device.params {
        StonithParams::File(path) => args.extend(["-F".to_owned(), path.clone()]),
        StonithParams::Words(words) => args.extend(["-p".to_owned(), words.join(" ")]),
    }
    args.extend(["-T".to_owned(), "reset".to_owned(), node.to_owned()]);
    Program { path: "/usr/sbin/stonith".into(), name: None, args, input: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_device_get_what_they_understand() {
        let words = |kind: &str, words: &[&str]| Stonith {
            kind: kind.to_owned(),
            params: StonithParams::Words(words.iter().map(|w| (*w).to_owned()).collect()),
        };
        let glue = program(&words("external/ssh", &["hostlist=beta"]), "beta");
        assert_eq!(glue.args, ["-t", "external/ssh", "-p", "hostlist=beta", "-T", "reset", "beta"]);
        let agent = program(&words("fence_ipmilan", &["ip=10.0.0.9", "username=admin"]), "beta");
        assert_eq!(String::from_utf8(agent.input).unwrap(), "ip=10.0.0.9\nusername=admin\naction=reboot\nport=beta\n");
        let agent = program(&words("fence_apc", &["plug=7", "action=off"]), "beta");
        assert_eq!(String::from_utf8(agent.input).unwrap(), "plug=7\naction=off\n", "what is given stays");
    }
}
