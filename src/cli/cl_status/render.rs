//! The answers of `cl_status`, from a snapshot of the cluster. Texts, order and exit codes are the original's.

use super::args::{Options, Sub};
use crate::status::snapshot::{Cluster, Node};

/// What a sub-command prints and how it ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// For standard output.
    pub(super) out: String,
    /// For standard error as it is.
    pub(super) plain: Option<String>,
    /// For standard error as log lines of level ERROR.
    pub(super) errors: Vec<String>,
    /// Exit status.
    pub(super) code: u8,
}

/// Wrong arguments or an unknown node.
const WRONG: u8 = 11;
/// The daemon could not answer.
const FAILED: u8 = 13;
/// Weight of every node: the original has no way to set another in `haresources` clusters.
const WEIGHT: u32 = 100;

impl Reply {
    fn word(out: impl Into<String>) -> Self {
        Self { out: out.into() + "\n", ..Self::default() }
    }

    fn plain(line: impl Into<String>) -> Self {
        Self { plain: Some(line.into()), code: WRONG, ..Self::default() }
    }

    /// Log lines: what failed, and its reason.
    pub(super) fn failed(what: impl Into<String>, reason: &str, code: u8) -> Self {
        Self { errors: vec![what.into(), format!("REASON: {reason}")], code, ..Self::default() }
    }

    /// One log line.
    pub(super) fn error(what: impl Into<String>) -> Self {
        Self { errors: vec![what.into()], code: WRONG, ..Self::default() }
    }

    fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }
}

/// Answers a sub-command.
pub(super) fn answer(cluster: &Cluster, sub: Sub, options: &Options) -> Reply {
    if let (Some(wrong), true) = (&options.wrong, sub != Sub::HbStatus) {
        let errors = vec!["Error: getopt returnedcharacter code ?.".to_owned()];
        return Reply { plain: Some(wrong.clone()), errors, code: WRONG, ..Reply::default() };
    }
    let operand = |index: usize| options.operands.get(index).map(String::as_str);
    let either = |sentence: String, word: &str| Reply::word(if options.human { sentence } else { word.to_owned() });
    let not_enough = || Reply::plain("Not enough parameters.");
    let no_enough = || Reply::plain("No enough parameter.");
    let unknown = || Reply::plain("Error. May be due to incorrect node name");
    match sub {
        Sub::HbStatus => running(cluster, options),
        Sub::ListNodes => list_nodes(cluster, options),
        Sub::NodeStatus => match operand(0).map(|name| (name, find(cluster, name))) {
            None => not_enough(),
            Some((_, None)) => unknown(),
            Some((name, Some(node))) => {
                either(format!("The cluster node {name} is {}", node.status), &node.status).code(u8::from(node.status == "dead"))
            }
        },
        Sub::NodeWeight => match operand(0).map(|name| (name, find(cluster, name))) {
            None => not_enough(),
            Some((_, None)) => Reply::plain("Error. Maybe due to incorrect node name."),
            Some((name, Some(_))) => either(format!("The weight of the cluster node {name} is {WEIGHT}"), &WEIGHT.to_string()),
        },
        Sub::NodeSite => match operand(0).map(|name| (name, find(cluster, name))) {
            None => not_enough(),
            Some((_, None)) => unknown(),
            Some((name, Some(_))) => either(format!("The site of the cluster node {name} is "), ""),
        },
        Sub::NodeType => match operand(0).map(|name| (name, find(cluster, name))) {
            None => no_enough(),
            Some((_, None)) => unknown(),
            Some((name, Some(node))) => either(format!("The node {name}'s type: {}", kind(node)), kind(node)),
        },
        Sub::ListHbLinks => match operand(0).map(|name| find(cluster, name)) {
            None => no_enough(),
            Some(None) => Reply::failed("Cannot start heartbeat link interface walk.", "EINVAL", FAILED),
            Some(Some(node)) => Reply { out: links(node, options), ..Reply::default() },
        },
        Sub::HbLinkStatus => match operand(0).zip(operand(1)) {
            None => no_enough(),
            Some((name, link)) => {
                let found = find(cluster, name).and_then(|n| n.links.iter().find(|l| l.name == link));
                match found {
                    None => Reply::failed("Cannot get heartbeat link status", "", FAILED),
                    Some(found) => {
                        let word = up(found.up);
                        either(format!("The node {name}'s heartbeat link {link} is {word}"), word).code(u8::from(!found.up))
                    }
                }
            }
        },
        Sub::ClientStatus => match operand(0).zip(operand(1)) {
            None => no_enough(),
            Some((name, client)) => client_status(cluster, name, client),
        },
        Sub::RscStatus => either(format!("This node is holding {} resources.", cluster.resources), &cluster.resources),
        Sub::HbParameter => match &options.parameter {
            None => Reply::error("parameter name required"),
            Some(name) => match parameter(cluster, name) {
                None => Reply::failed(format!("Cannot get parameter {name}'s value"), "", 1),
                Some(value) => either(format!("Heartbeat parameter {name}'s value: {value}"), &value),
            },
        },
    }
}

/// The version as the original words it: 3.0.6 is what is compatible with.
fn version(cluster: &Cluster) -> String {
    format!("3.0.6 (lvs-ha {})", cluster.version)
}

fn running(cluster: &Cluster, options: &Options) -> Reply {
    let mut reply = if options.verbose {
        let nodes = list_nodes(cluster, &Options { verbose: true, human: options.human, ..Options::default() }).out;
        Reply { out: format!("version:\t{}\nmanaged by:\t\"haresources\"\n{nodes}", version(cluster)), ..Reply::default() }
    } else {
        Reply::word("Heartbeat is running on this machine.")
    };
    reply.plain.clone_from(&options.wrong);
    reply
}

fn list_nodes(cluster: &Cluster, options: &Options) -> Reply {
    let all = options.ping == options.normal;
    let mut out = String::new();
    if options.human {
        out.push_str("The nodes are as follow:\n");
    }
    // Last in the file first, as the original keeps them.
    for node in cluster.nodes.iter().rev().filter(|n| all || n.ping == options.ping) {
        if options.verbose {
            out.push_str(&format!("\n{}\t{}\t(nodetype: {})\n{}", node.name, node.status, kind(node), links(node, options)));
        } else {
            out.push_str(&format!("{}\n", node.name));
        }
    }
    Reply { out, ..Reply::default() }
}

fn links(node: &Node, options: &Options) -> String {
    let mut out = String::new();
    if options.human {
        out.push_str("\tthis node has the following heartbeat links:\n");
    }
    for link in node.links.iter().rev() {
        let state = if options.verbose { format!("\t{}", up(link.up)) } else { String::new() };
        out.push_str(&format!("\t{}{state}\n", link.name));
    }
    out
}

/// This daemon has no client programs, so none is online here; what runs elsewhere it cannot know.
fn client_status(cluster: &Cluster, name: &str, client: &str) -> Reply {
    let failed = |reason| Reply::failed(format!("Cannot get heartbeat client {client}'s status"), reason, FAILED);
    match find(cluster, name) {
        None => failed("No timely response."),
        Some(node) if node.name != cluster.me => failed("Clients of other nodes are not known."),
        Some(_) => Reply::word("offline").code(1),
    }
}

fn parameter(cluster: &Cluster, name: &str) -> Option<String> {
    let written = cluster.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    written.or_else(|| (name == "hbversion").then(|| version(cluster)))
}

/// Names of nodes are lower case, whatever is asked.
fn find<'a>(cluster: &'a Cluster, name: &str) -> Option<&'a Node> {
    cluster.nodes.iter().find(|n| n.name.eq_ignore_ascii_case(name))
}

fn kind(node: &Node) -> &'static str {
    if node.ping { "ping" } else { "normal" }
}

fn up(up: bool) -> &'static str {
    if up { "up" } else { "dead" }
}
