//! One host: namespaces held by its process 1, files of its own, cables to the switches of its lab. Power loss takes the
//! namespaces and with them every process, address and kernel table; its disk stays.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _, Seek as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::arena;
use crate::lab::wait_for;
use crate::table::{Machine, Product};

/// No command of a case takes longer, in seconds.
const LIMIT: &str = "300";

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The executable under test: built by cargo with this one, or `LVS_HA_LAB_BIN`, its copy.
pub fn executable() -> PathBuf {
    std::env::var_os("LVS_HA_LAB_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_lvs-ha")), PathBuf::from)
}

/// `netns where`: this executable and the one under test.
pub fn print_paths() -> anyhow::Result<ExitCode> {
    println!("{}\n{}", std::env::current_exe()?.display(), executable().display());
    Ok(ExitCode::SUCCESS)
}

/// What a command on a host said.
#[derive(Debug, Clone)]
pub struct Output {
    command: String,
    /// Exit status; 128 + N after signal N, 137 also when the time limit struck.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Output {
    /// Standard output, if the command ended with 0.
    pub fn ok(self) -> anyhow::Result<String> {
        ensure!(self.code == 0, "`{}` ended with {}: {}{}", self.command, self.code, self.out, self.err);
        Ok(self.out)
    }

    /// Both outputs.
    pub fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// A command running on a host; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: File,
}

impl Running {
    /// What it has said so far.
    pub fn text(&self) -> anyhow::Result<String> {
        // The command writes through the same open file: its place in it must not be moved.
        let text = fs::read(format!("/proc/self/fd/{}", self.output.as_raw_fd()))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Waits until it has said `word`.
    pub fn said(&self, word: &str) -> anyhow::Result<()> {
        wait_for(word, Duration::from_secs(60), || {
            let text = self.text()?;
            Ok(if text.contains(word) { Ok(()) } else { Err(text) })
        })
    }

    /// Waits for the end: exit status and both outputs.
    pub fn finish(mut self) -> anyhow::Result<(Option<i32>, String)> {
        let status = self.child.wait()?;
        Ok((status.code(), contents(&mut self.output)?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; `setpriv` takes the command along with nsenter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What exists only while the host has power.
#[derive(Debug)]
struct Power {
    init: Child,
    pid: i32,
    _pipe: ChildStdin,
}

/// A host.
#[derive(Debug)]
pub struct Host {
    machine: Machine,
    dir: PathBuf,
    /// Bridge, name at the switch, MAC, one for each interface.
    cables: Vec<(String, String, String)>,
    power: Mutex<Option<Power>>,
}

impl Host {
    /// One without power. `dir` becomes its disk.
    pub fn new(machine: Machine, dir: PathBuf, cables: Vec<(String, String, String)>) -> Self {
        Self { machine, dir, cables, power: Mutex::new(None) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.machine.name
    }

    /// What it was made from.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Boots it: namespaces, files, cables, addresses; the commands are installed at the first time.
    pub fn power_on(&self) -> anyhow::Result<()> {
        let first = !self.dir.exists();
        fs::create_dir_all(&self.dir)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["host-init", self.name()]).arg(&self.dir);
        match self.machine.product {
            Product::LvsHa => {}
            Product::Originals => drop(command.arg(originals()?)),
            Product::Servers => drop(command.args(servers()?)),
        }
        let errors = self.dir.join("init.err");
        let mut init = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?)
            .spawn()
            .context("no host-init")?;
        let pipe = init.stdin.take().context("no pipe to host-init")?;
        let mut lines = BufReader::new(init.stdout.take().context("no pipe from host-init")?).lines();
        // The number comes from host-init, the word from process 1: in either order.
        let (mut pid, mut ready) = (None, false);
        while pid.is_none() || !ready {
            match lines.next().transpose()?.as_deref() {
                Some("ready") => ready = true,
                Some(number) => pid = number.parse().ok(),
                None => break,
            }
        }
        let (Some(pid), true) = (pid, ready) else {
            bail!("host {} does not start: {}", self.name(), fs::read_to_string(errors)?.trim());
        };
        *self.power()? = Some(Power { init, pid, _pipe: pipe });
        self.connect(pid)?;
        if first {
            self.install()?;
        }
        Ok(())
    }

    /// Power loss: the cables fall silent, then every process dies and the kernel's state of this host is gone.
    pub fn power_off(&self) {
        let Ok(mut power) = self.power.lock() else { return };
        let Some(mut was) = power.take() else { return };
        for (_, cable, _) in &self.cables {
            // Silent, not gone: a daemon that still runs for a moment is not to see its interface vanish.
            let _ = arena::ip(&format!("link set {cable} down\n"));
        }
        let _ = kill(Pid::from_raw(was.pid), Signal::SIGKILL);
        let _ = was.init.wait();
        for (_, cable, _) in &self.cables {
            // Gone already where the kernel was faster.
            let _ = arena::ip(&format!("link del {cable}\n"));
        }
    }

    /// Whether it has power.
    pub fn has_power(&self) -> bool {
        self.pid().is_ok()
    }

    /// Whether an IPv4 address is configured on it, asked of its kernel without a process. Not, without power.
    pub fn has_address(&self, address: &str) -> bool {
        let table = self.pid().ok().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/net/fib_trie")).ok());
        let mut here = false;
        table.unwrap_or_default().lines().any(|line| {
            if let Some((_, entry)) = line.split_once("|-- ") {
                here = entry == address;
            }
            here && line.trim() == "/32 host LOCAL"
        })
    }

    /// Pulls the cable of an interface, or puts it back.
    pub fn cable(&self, interface: &str, plugged: bool) -> anyhow::Result<()> {
        let at = self.machine.interfaces.iter().position(|i| i.name == interface);
        let (_, cable, _) = at.and_then(|i| self.cables.get(i)).with_context(|| format!("no interface {interface}"))?;
        arena::ip(&format!("link set {cable} {}\n", if plugged { "up" } else { "down" }))
    }

    /// Runs a shell command on the host and waits for it.
    pub fn run(&self, command: &str) -> anyhow::Result<Output> {
        let (mut out, mut err) = (tempfile()?, tempfile()?);
        // Files, not pipes: a daemon that the command leaves behind may keep them open.
        let status = self
            .nsenter(&["timeout", "-s", "KILL", LIMIT, "sh", "-c", command])?
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(err.try_clone()?)
            .status()?;
        let code = status.code().unwrap_or(137);
        Ok(Output { command: command.to_owned(), code, out: contents(&mut out)?, err: contents(&mut err)? })
    }

    /// Starts a shell command on the host.
    pub fn spawn(&self, command: &str) -> anyhow::Result<Running> {
        let output = tempfile()?;
        let child = self
            .nsenter(&["setpriv", "--pdeathsig", "KILL", "sh", "-c", command])?
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn()?;
        Ok(Running { child, output })
    }

    /// Runs a shell command with this process's terminal; where there is none, without input, which is the caller's own.
    pub fn interactive(&self, command: &str) -> anyhow::Result<()> {
        let mut nsenter = self.nsenter(&["sh", "-c", command])?;
        if !std::io::stdin().is_terminal() {
            nsenter.stdin(Stdio::null());
        }
        if let Some(term) = std::env::var_os("TERM") {
            nsenter.env("TERM", term);
        }
        Ok(nsenter.status().map(drop)?)
    }

    /// A shell on the host with this process's input, terminal or not.
    pub fn shell(&self) -> anyhow::Result<()> {
        let mut nsenter = self.nsenter(&["bash", "--norc", "-i"])?;
        if let Some(term) = std::env::var_os("TERM") {
            nsenter.env("TERM", term);
        }
        Ok(nsenter.env("PS1", format!("{}# ", self.name())).status().map(drop)?)
    }

    /// Where a file of the host is to be found from outside, while it has power.
    pub fn path(&self, file: &str) -> anyhow::Result<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}/root{file}", self.pid()?)))
    }

    /// Writes a file on the host, mode 644 (`authkeys`: 600), making its folders.
    pub fn write_file(&self, file: &str, text: &str) -> anyhow::Result<()> {
        self.write_file_mode(file, text, if file.ends_with("authkeys") { 0o600 } else { 0o644 })
    }

    /// Writes a file on the host with this mode.
    pub fn write_file_mode(&self, file: &str, text: &str, mode: u32) -> anyhow::Result<()> {
        let path = self.path(file)?;
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        // From here an absolute link leads to a file of this machine.
        if path.is_symlink() {
            fs::remove_file(&path)?;
        }
        fs::write(&path, text).with_context(|| format!("{}: {file}", self.name()))?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
    }

    /// Reads a file of the host.
    pub fn read_file(&self, file: &str) -> anyhow::Result<String> {
        let bytes = fs::read(self.path(file)?).with_context(|| format!("{}: {file}", self.name()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Runs the script of its role in `vagrant/provision`.
    pub fn provision(&self) -> anyhow::Result<()> {
        let script = format!("{}/vagrant/provision/{}.sh", root().display(), self.machine.role.script());
        self.run(&format!("sh '{script}' '{}'", root().display()))?.ok().map(drop)
    }

    /// The last 60 lines of each log, by name.
    pub fn logs(&self) -> Vec<(String, String)> {
        let mut logs: Vec<PathBuf> = fs::read_dir(self.dir.join("var/log"))
            .map(|files| files.flatten().map(|f| f.path()).filter(|p| p.is_file()).collect())
            .unwrap_or_default();
        logs.sort();
        let mut ends = Vec::new();
        for log in logs {
            let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let end: String = lines[lines.len().saturating_sub(60)..].iter().map(|l| format!("{l}\n")).collect();
            ends.push((log.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(), end));
        }
        ends
    }

    /// The commands under their names, the web server, what /etc/default/httpd says of it.
    fn install(&self) -> anyhow::Result<()> {
        let server = format!("SERVER='{} httpd --dir /var/www/html --port 80'\n", std::env::current_exe()?.display());
        self.write_file("/etc/default/httpd", &server)?;
        symlink(std::env::current_exe()?, self.path("/usr/bin/netns")?)?;
        let script = fs::read_to_string(root().join("vagrant/files/httpd"))?;
        self.write_file_mode("/etc/init.d/httpd", &script, 0o755)?;
        if self.machine.product != Product::Originals {
            let script = root().join("vagrant/provision/install.sh");
            let link = format!("sh '{}' '{}' '{}'", script.display(), root().display(), executable().display());
            self.run(&link)?.ok()?;
        }
        Ok(())
    }

    fn connect(&self, pid: i32) -> anyhow::Result<()> {
        let (mut outside, mut inside) = (String::new(), String::new());
        for (interface, (bridge, cable, mac)) in self.machine.interfaces.iter().zip(&self.cables) {
            let name = &interface.name;
            outside += &format!("link add {cable} type veth peer name {name} address {mac} netns {pid}\n");
            outside += &format!("link set {cable} master {bridge} up\n");
            for address in &interface.addresses {
                inside += &format!("addr add {address} brd + dev {name}\n");
            }
            inside += &format!("link set {name} up\n");
        }
        arena::ip(&outside)?;
        arena::feed(&mut self.nsenter(&["ip", "-batch", "-"])?, &inside)
    }

    fn nsenter(&self, command: &[&str]) -> anyhow::Result<Command> {
        let mut nsenter = Command::new("nsenter");
        nsenter
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--target", &self.pid()?.to_string(), "--"])
            .args(command)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8");
        Ok(nsenter)
    }

    /// Its process 1, as seen from here.
    pub fn pid(&self) -> anyhow::Result<i32> {
        self.power()?.as_ref().map(|p| p.pid).with_context(|| format!("host {} has no power", self.name()))
    }

    fn power(&self) -> anyhow::Result<std::sync::MutexGuard<'_, Option<Power>>> {
        self.power.lock().map_err(|_| anyhow::anyhow!("a thread died while it held host {}", self.name()))
    }
}

/// Where `tests/lab` unpacked Debian's packages.
pub fn originals() -> anyhow::Result<PathBuf> {
    let dir = cache().join("originals");
    ensure!(dir.join("usr").is_dir(), "the original programs are not in {}: tests/lab fetches them", dir.display());
    Ok(dir)
}

/// The same of servers to be checked: those of every run, and those of `--all` if they are there.
pub fn servers() -> anyhow::Result<Vec<PathBuf>> {
    let dirs = ["servers", "all-servers"].map(|name| cache().join(name));
    ensure!(dirs[0].join("usr").is_dir(), "the servers are not in {}: tests/lab fetches them", dirs[0].display());
    Ok(dirs.into_iter().filter(|d| d.join("usr").is_dir()).collect())
}

fn cache() -> PathBuf {
    std::env::var_os("LVS_HA_LAB_CACHE").map_or_else(|| "/var/cache/lvs-ha-lab".into(), PathBuf::from)
}

fn tempfile() -> anyhow::Result<File> {
    tempfile::tempfile_in(arena::dir()?).context("no temporary file")
}

fn contents(file: &mut File) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
