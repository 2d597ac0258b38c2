//! What runs a resource: something built in, a script of `resource.d` or `init.d`, an OCF agent, or a systemd unit, looked
//! for in this order.

use std::path::{Path, PathBuf};

use super::builtin::{self, Builtin};
use super::exec::{self, Program, SCRIPT_DIRS};
use crate::config::settings::Resource;

/// Where OCF agents are, a folder for each provider.
const OCF_AGENTS: &str = "/usr/lib/ocf/resource.d";
/// The provider that is looked at first.
const OCF_FIRST: &str = "heartbeat";
/// Where the parameters of `OCF::type::instance` are, below the configuration's folder.
const OCF_CONF: &str = "/etc/ha.d/conf/OCF";
/// Where units are.
const UNITS: [&str; 4] = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// Reads the parameters as the shell text they are, then becomes the agent.
const WITH_PARAMETERS: &str = r#"set -a; . "$0"; set +a; exec "$1" "$2""#;

/// What an OCF agent calls the arguments that stand behind its name in `haresources`, as the original's wrappers map them.
const OCF_ARGUMENTS: &[(&str, &[&str])] = &[
    ("Filesystem", &["device", "directory", "fstype", "options"]),
    ("IPsrcaddr", &["ipaddress"]),
    ("LVM", &["volgrpname"]),
    ("LVM-activate", &["vgname"]),
    ("Raid1", &["raidconf", "raiddev"]),
    ("SendArp", &["ip", "nic"]),
    ("Xinetd", &["service"]),
    ("apache", &["configfile"]),
    ("portblock", &["protocol", "portno", "action"]),
    ("symlink", &["target", "link"]),
    ("exportfs", &["clientspec", "options", "directory", "fsid"]),
];

/// What runs a resource.
#[derive(Debug)]
pub enum Runs {
    /// Something of ours.
    Builtin(Builtin),
    /// A program.
    Program(Call),
}

/// A program that runs a resource; the action's word is still to be added to its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The program.
    pub program: Program,
    /// What it finds in its environment beside what every script finds.
    pub environment: Vec<(String, String)>,
    /// How its answers are read.
    pub kind: Kind,
}

/// The three manners of speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `status` is answered in words.
    Script,
    /// `monitor` is answered by the exit status.
    Ocf,
    /// `systemctl` with the unit behind the verb.
    Unit,
}

/// Looks for it. An error says why the resource cannot run here.
pub fn find(resource: &Resource, builtins: bool) -> Result<Runs, String> {
    if builtins {
        match builtin::lookup(resource) {
            Some(Ok(found)) => return Ok(Runs::Builtin(found)),
            Some(Err(why)) => return Err(why),
            None => {}
        }
    }
    let Resource { script, args, .. } = resource;
    if script == "OCF" {
        return instance(args).map(Runs::Program);
    }
    if let Some(path) = exec::find_script(script, &SCRIPT_DIRS.map(Path::new)) {
        let program = Program { path, name: None, args: args.clone(), input: Vec::new() };
        return Ok(Runs::Program(Call { program, environment: Vec::new(), kind: Kind::Script }));
    }
    if let Some(path) = agent(script) {
        return by_name(script, path, args).map(Runs::Program);
    }
    if let Some(unit) = unit(script) {
        let program = Program { path: "/usr/bin/systemctl".into(), name: None, args: vec![unit], input: Vec::new() };
        return Ok(Runs::Program(Call { program, environment: Vec::new(), kind: Kind::Unit }));
    }
    Err(format!("Cannot locate resource script {script}"))
}

/// `OCF::type::instance`.
fn instance(args: &[String]) -> Result<Call, String> {
    let [kind, instance] = args else { return Err("OCF needs a type and an instance: OCF::type::instance".to_owned()) };
    let path = agent(kind).ok_or_else(|| format!("Cannot locate the OCF agent {kind} below {OCF_AGENTS}"))?;
    if instance.contains('/') {
        return Err(format!("[{instance}] is no name of an instance"));
    }
    let file = Path::new(OCF_CONF).join(kind).join(instance);
    if !file.is_file() {
        return Err(format!("The OCF instance's parameters {} are not there", file.display()));
    }
    let words = ["-c".to_owned(), WITH_PARAMETERS.to_owned(), file.display().to_string(), path.display().to_string()];
    let program = Program { path: "/bin/sh".into(), name: None, args: words.into(), input: Vec::new() };
    Ok(Call { program, environment: ocf_environment(kind, instance), kind: Kind::Ocf })
}

/// An agent by its name: arguments have the meaning that the original's wrapper gave them, or are written `name=value`.
fn by_name(name: &str, path: PathBuf, args: &[String]) -> Result<Call, String> {
    let names = OCF_ARGUMENTS.iter().find(|(agent, _)| *agent == name).map_or(&[][..], |(_, names)| names);
    let mut environment = ocf_environment(name, args.first().map_or("", String::as_str));
    for (index, arg) in args.iter().enumerate() {
        let (parameter, value) = match (names.get(index), arg.split_once('=')) {
            (Some(parameter), _) => (*parameter, arg.as_str()),
            (None, Some((parameter, value))) if !parameter.is_empty() => (parameter, value),
            _ => return Err(format!("The OCF agent {name} does not know what [{arg}] is: write it as name=value")),
        };
        environment.push((format!("OCF_RESKEY_{parameter}"), value.to_owned()));
    }
    let program = Program { path, name: None, args: Vec::new(), input: Vec::new() };
    Ok(Call { program, environment, kind: Kind::Ocf })
}

fn ocf_environment(kind: &str, instance: &str) -> Vec<(String, String)> {
    let plain: String = instance.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' }).collect();
    let instance = if plain.is_empty() { kind.to_owned() } else { format!("{kind}_{plain}") };
    [
        ("OCF_ROOT", "/usr/lib/ocf"),
        ("OCF_RA_VERSION_MAJOR", "1"),
        ("OCF_RA_VERSION_MINOR", "0"),
        ("OCF_RESOURCE_TYPE", kind),
        ("OCF_RESOURCE_PROVIDER", OCF_FIRST),
        ("OCF_RESOURCE_INSTANCE", &instance),
    ]
    .map(|(n, v)| (n.to_owned(), v.to_owned()))
    .into()
}

/// The agent of that name.
fn agent(name: &str) -> Option<PathBuf> {
    let mut providers: Vec<PathBuf> = std::fs::read_dir(OCF_AGENTS).ok()?.flatten().map(|e| e.path()).collect();
    providers.sort_by_key(|p| (!p.ends_with(OCF_FIRST), p.clone()));
    let dirs: Vec<&Path> = providers.iter().map(PathBuf::as_path).collect();
    exec::find_script(name, &dirs)
}

/// The unit of that name, where systemd is at work.
fn unit(name: &str) -> Option<String> {
    if name.is_empty() || name.contains('/') || !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let file = if name.contains('.') { name.to_owned() } else { format!("{name}.service") };
    UNITS.iter().any(|dir| Path::new(dir).join(&file).exists()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::haresources::resource;

    fn environment(call: &Call) -> Vec<String> {
        let own = call.environment.iter().filter(|(n, _)| n.starts_with("OCF_RESKEY") || n == "OCF_RESOURCE_INSTANCE");
        own.map(|(n, v)| format!("{n}={v}")).collect()
    }

    #[test]
    fn arguments_of_an_agent_have_their_wrappers_meaning_or_a_name() {
        let word = resource("Filesystem::10.0.0.9:/srv::/mnt::nfs::ro");
        let call = by_name("Filesystem", "/x".into(), &word.args).unwrap();
        assert_eq!(
            environment(&call),
            [
                "OCF_RESOURCE_INSTANCE=Filesystem_10.0.0.9__srv",
                "OCF_RESKEY_device=10.0.0.9:/srv",
                "OCF_RESKEY_directory=/mnt",
                "OCF_RESKEY_fstype=nfs",
                "OCF_RESKEY_options=ro"
            ]
        );
        let call = by_name("Dummy", "/x".into(), &["state=/run/d".to_owned()]).unwrap();
        assert_eq!(environment(&call)[1..], ["OCF_RESKEY_state=/run/d"]);
        let why = by_name("Dummy", "/x".into(), &["what".to_owned()]).unwrap_err();
        assert!(why.contains("[what]") && why.contains("name=value"), "{why}");
    }

    #[test]
    fn what_cannot_run_here_says_why() {
        let why = |word: &str| find(&resource(word), false).map(|_| ()).unwrap_err();
        assert_eq!(why("no-such-thing"), "Cannot locate resource script no-such-thing");
        assert!(why("OCF::Dummy").contains("OCF::type::instance"));
        assert!(why("OCF::no-such-agent::x").contains("no-such-agent"));
    }
}
