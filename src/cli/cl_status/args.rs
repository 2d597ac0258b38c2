//! What `cl_status` is asked: sub-command, options and operands, read as getopt does (options may follow operands).

use std::ffi::OsString;

/// The text for `-h` and for no arguments at all, the original's word for word, typing error included.
pub(super) const USAGE: &str = "\
Usage: cl_status <sub-command> [<options>] [<parameters>]

Sub-commands:
clientstatus <node-name> <client-id> [<timeout>]
\tShow the status of heartbeat clients.
hblinkstatus <node-name> <link-name>
\tShow the status of a heartbeat link
hbstatus
\tIndicate if heartbeat is running on the local system.
\tOptions:
\t\t-v\tverbose: also add \"listnodes -v\" output
listnodes [<option>]
\tList the nodes in the cluster.
\tOptions:
\t\t-p\tlist only 'ping' type nodes
\t\t-n\tlist only 'normal' type nodes
\t\t-v\tverbose: also list type and status,
\t\t\tthen add \"listhblinks -v\" output
listhblinks <node-name>
\tList the network interfaces used as hearbeat links.
\tOptions:
\t\t-v\tverbose: list link status as well
nodestatus <node-name>
\tList the node status.
nodeweight <node-name>
\tList the node weight.
nodesite <node-name>
\tList the node site.
nodetype <node-name>
\tList the nodes of a given type.
rscstatus
\tShow the status of cluster resources.
hbparameter -p <parameter-name>
\tRetrieve the value of a cluster parameter.
\tAs for the valid parameter names, please refer to the man page.
";

/// A sub-command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sub {
    HbStatus,
    ListNodes,
    NodeStatus,
    NodeWeight,
    NodeSite,
    NodeType,
    ListHbLinks,
    HbLinkStatus,
    ClientStatus,
    RscStatus,
    HbParameter,
}

impl Sub {
    /// The sub-command of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "hbstatus" => Self::HbStatus,
            "listnodes" => Self::ListNodes,
            "nodestatus" => Self::NodeStatus,
            "nodeweight" => Self::NodeWeight,
            "nodesite" => Self::NodeSite,
            "nodetype" => Self::NodeType,
            "listhblinks" => Self::ListHbLinks,
            "hblinkstatus" => Self::HbLinkStatus,
            "clientstatus" => Self::ClientStatus,
            "rscstatus" => Self::RscStatus,
            "hbparameter" => Self::HbParameter,
            _ => return None,
        })
    }
}

/// Options and operands of a sub-command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `-m`: a sentence instead of a word.
    pub(super) human: bool,
    /// `-p`, but for `hbparameter`: ping nodes.
    pub(super) ping: bool,
    /// `-n`: normal nodes.
    pub(super) normal: bool,
    /// `-v`.
    pub(super) verbose: bool,
    /// `-p NAME` of `hbparameter`.
    pub(super) parameter: Option<String>,
    /// getopt's complaint about the first wrong option.
    pub(super) wrong: Option<String>,
    /// The rest.
    pub(super) operands: Vec<String>,
}

impl Options {
    /// Reads what follows the sub-command; `name` is its name, for complaints.
    pub(super) fn read(sub: Sub, name: &str, args: &[OsString]) -> Self {
        let mut options = Self::default();
        let mut words = args.iter().map(|a| a.to_string_lossy().into_owned());
        while let Some(word) = words.next() {
            if word == "--" {
                options.operands.extend(words);
                break;
            }
            let Some(letters) = word.strip_prefix('-').filter(|l| !l.is_empty()) else {
                options.operands.push(word);
                continue;
            };
            let mut rest = letters.chars();
            while let Some(letter) = rest.next() {
                match letter {
                    'm' => options.human = true,
                    'p' if sub == Sub::HbParameter => {
                        let joined = rest.as_str().to_owned();
                        options.parameter = if joined.is_empty() { words.next() } else { Some(joined) };
                        if options.parameter.is_none() {
                            options.complain(format!("{name}: option requires an argument -- 'p'"));
                        }
                        break;
                    }
                    'p' => options.ping = true,
                    'n' if sub != Sub::HbParameter => options.normal = true,
                    'v' if sub != Sub::HbParameter => options.verbose = true,
                    wrong => options.complain(format!("{name}: invalid option -- '{wrong}'")),
                }
            }
        }
        options
    }

    fn complain(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }
}
