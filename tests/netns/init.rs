//! A host's first processes. `host-init` makes the namespaces and stays as their parent; `host-pid1` is process 1 of the
//! host: sets up its files, says `ready`, reaps orphans, and ends (with all of the host) when the lab lets go of its pipe.

use std::io::{Read as _, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

/// `host-init NAME DIR [LOWER...]`: DIR takes what the host writes; each LOWER is a tree laid over this machine's /etc and /usr.
pub fn outer(words: &[&str]) -> anyhow::Result<ExitCode> {
    unshare(
        CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID,
    )
    .context("cannot make the namespaces")?;
    let mut child = Command::new(std::env::current_exe()?).arg("host-pid1").args(words).spawn()?;
    println!("{}", child.id());
    // Process 1 has its own copies: ours would keep the lab waiting.
    nix::unistd::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    nix::unistd::dup2_stdout(std::fs::OpenOptions::new().write(true).open("/dev/null")?)?;
    child.wait()?;
    Ok(ExitCode::SUCCESS)
}

/// `host-pid1`, with the same words.
pub fn pid1(words: &[&str]) -> anyhow::Result<ExitCode> {
    let name = words.first().context("which name?")?;
    let dir = words.get(1).context("which folder?")?;
    let lower = words.get(2..).unwrap_or_default().join(" ");
    nix::unistd::sethostname(name)?;
    let output = Command::new("sh").args(["-euc", FILES, "host", name, dir, &lower]).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    println!("ready");
    std::io::stdout().flush()?;
    nix::unistd::dup2_stdout(std::fs::OpenOptions::new().write(true).open("/dev/null")?)?;
    std::thread::spawn(|| {
        // Nothing is ever written: this returns when the lab is gone.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    loop {
        match nix::sys::wait::wait() {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The host's own /etc, /usr, /var (this machine's below them, read-only), /run, /proc and /sys. What this machine has of
/// heartbeat and logs is hidden. A folder's upper layer outlives the host's process 1, as a disk does a power loss; the
/// work folders do not.
const FILES: &str = r#"
mount --make-rprivate /
dir=$2 lower=$3
for d in etc usr var; do
    rm -rf "$dir/work.$d"; mkdir -p "$dir/$d" "$dir/work.$d"
    layers=/$d
    # The trees may themselves be below /var; of that they have only folders that are made here.
    [ $d = var ] || for l in $lower; do [ ! -d "$l/$d" ] || layers=$l/$d:$layers; done
    mount -t overlay -o "lowerdir=$layers,upperdir=$dir/$d,workdir=$dir/work.$d" "lab-$d" /$d
done
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock/subsys /run/heartbeat /run/resource-agents
mount -t proc proc /proc
mount -t sysfs sysfs /sys
ip link set lo up
[ ! -e "$dir/made" ] || exit 0
[ -n "$lower" ] || rm -rf /etc/ha.d
rm -rf /var/lib/heartbeat /var/lib/ldirectord /var/log /etc/init.d
mkdir -p /etc/ha.d/resource.d /etc/init.d /var/lib/heartbeat /var/log /var/www/html
printf '%s\n' "$1" >/etc/hostname
grep -q '^haclient:' /etc/group || echo 'haclient:x:996:' >>/etc/group
grep -q '^hacluster:' /etc/passwd || echo 'hacluster:x:996:996:heartbeat user:/var/lib/heartbeat:/usr/sbin/nologin' >>/etc/passwd
if [ -n "$lower" ]; then
    mkdir -p /var/lib/heartbeat/crm /var/lib/heartbeat/cores/root /var/lib/heartbeat/cores/hacluster /var/lib/heartbeat/cores/nobody
    chown hacluster:haclient /var/lib/heartbeat /var/lib/heartbeat/crm /var/lib/heartbeat/cores/hacluster
fi
: >"$dir/made"
"#;
