//! One director with many real servers, some of which swallow what is sent to them; and one file with very many.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{middle_and_largest, used};

/// Ports of those that answer, of those that swallow, and of those that die.
const ALIVE: u16 = 18080;
const HOLE: u16 = 18081;
const MORTAL: u16 = 18082;
/// Real servers of the first measurement: answering, swallowing, and dying one after the other.
const ALIVES: u16 = 890;
const HOLES: u16 = 100;
const MORTALS: u16 = 10;
/// How long the checks are counted.
const WINDOW: Duration = Duration::from_secs(20);

pub fn run() -> anyhow::Result<()> {
    let dir = std::env::temp_dir().join(format!("lvs-ha-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = detection(&dir).and_then(|()| large(&dir, 10)).and_then(|()| large(&dir, 1));
    let _ = std::fs::remove_dir_all(&dir);
    done
}

/// 1,000 real servers on this machine, interval 1 s, limit 3 s.
fn detection(dir: &std::path::Path) -> anyhow::Result<()> {
    println!("1,000 real servers (http, checkinterval=1, negotiatetimeout=3), {HOLES} of them swallow everything");
    let _ = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard, hard));
    let answered: Answered = Arc::default();
    let _alive = Server::start(Ipv4Addr::UNSPECIFIED, ALIVE, &answered)?;
    let _holes: Vec<_> = (0..HOLES).map(|n| hole(address(2, n))).collect::<Result<_, _>>()?;
    let mut mortals: Vec<Option<Server>> =
        (0..MORTALS).map(|n| Server::start(address(3, n), MORTAL, &answered).map(Some)).collect::<Result<_, _>>()?;
    let mut text = "checkinterval=1\nnegotiatetimeout=3\nquiescent=no\nvirtual=10.9.0.100:80\n".to_owned();
    for (net, count, port) in [(1, ALIVES, ALIVE), (2, HOLES, HOLE), (3, MORTALS, MORTAL)] {
        for n in 0..count {
            writeln!(text, "\treal={}:{port} masq", address(net, n))?;
        }
    }
    text.push_str("\tservice=http\n\trequest=\"/\"\n\treceive=\"OK\"\n");
    let mut daemon = Daemon::start(dir, &text)?;
    let all = usize::from(ALIVES + MORTALS);
    let full = daemon.until("servers", |n| n >= all)?;
    // The limits of the first round are over: from now on the load is even.
    std::thread::sleep(Duration::from_secs(5));
    answered.lock().expect("no panics").clear();
    let (before, _) = used(daemon.child.id())?;
    let began = Instant::now();
    std::thread::sleep(WINDOW);
    let (after, memory) = used(daemon.child.id())?;
    let seconds = began.elapsed().as_secs_f64();
    let counts: Vec<f64> = answered.lock().expect("no panics").values().map(|n| f64::from(*n)).collect();
    ensure!(counts.len() == all, "{} of {all} real servers were checked within {seconds:.0} s", counts.len());
    let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
    let (middle, most) = middle_and_largest(counts);
    println!("  start to all good ones in the table    {full:6.2} s");
    println!("  seconds from one check of a good server to the next, in {seconds:.0} s");
    println!("    most often checked, middle, least    {:6.2} {:.2} {:.2}", seconds / most, seconds / middle, seconds / least);
    println!("  processor, of one core                 {:6.1} %", (after - before) / seconds * 100.0);
    println!("  memory (with the table of the tests')  {memory:6.1} MiB");

    let mut times = Vec::new();
    for (n, mortal) in (0..MORTALS).zip(&mut mortals) {
        // Somewhere within the interval, another place each time.
        std::thread::sleep(Duration::from_millis(u64::from(n) * 137 % 1000));
        let name = format!("{}:{MORTAL}", address(3, n));
        *mortal = None;
        let died = Instant::now();
        daemon.said("Deleted real server", &name)?;
        times.push(died.elapsed().as_secs_f64());
        *mortal = Some(Server::start(address(3, n), MORTAL, &answered)?);
    }
    let (middle, largest) = middle_and_largest(times);
    println!("  a port is closed until it is out of the table, {MORTALS} times");
    println!("    middle, longest (interval + limit: 4) {middle:5.2} {largest:.2} s\n");
    Ok(())
}

/// 10,000 real servers that are always up, in that many virtual services.
fn large(dir: &std::path::Path, services: usize) -> anyhow::Result<()> {
    const REALS: usize = 10_000;
    println!("10,000 real servers (checktype=on) in {services} virtual service(s)");
    let text = |first: u32, rest: u32| {
        let mut out = "quiescent=no\n".to_owned();
        for service in 0..services {
            let _ = write!(out, "virtual=10.9.0.100:{}\n\tchecktype=on\n\tscheduler=wrr\n", 8000 + service);
            for n in 0..REALS / services {
                let n = n + service * (REALS / services);
                let weight = if n == 0 { first } else { rest };
                let _ = writeln!(out, "\treal=10.1.{}.{}:80 masq {weight}", n / 250, n % 250 + 1);
            }
        }
        out
    };
    let mut daemon = Daemon::start(dir, &text(1, 1))?;
    let wanted = REALS + services;
    let full = daemon.until("writes", |n| n >= wanted)?;
    ensure!(daemon.ask("servers")? == REALS, "not all real servers are in the table");
    let (_, memory) = used(daemon.child.id())?;
    println!("  start to full table                    {full:6.2} s   {wanted:5} writes   {memory:.0} MiB");
    let all = ("all weights changed", 3, 3, REALS);
    for (what, first, rest, changes) in [("nothing changed", 1, 1, 0), ("one weight changed", 2, 1, 1), all] {
        std::fs::write(&daemon.file, text(first, rest))?;
        let writes = daemon.ask("writes")?;
        let (took, cpu) = daemon.reload(changes)?;
        let writes = daemon.ask("writes")? - writes;
        println!("  reload, {what:20}           {took:6.2} s   {writes:5} writes   {cpu:.2} s of processor");
    }
    println!();
    Ok(())
}

fn address(net: u8, n: u16) -> Ipv4Addr {
    let [high, low] = (n / 250 * 256 + n % 250 + 1).to_be_bytes();
    Ipv4Addr::new(127, net, high, low)
}

/// How often each address was asked.
type Answered = Arc<Mutex<HashMap<Ipv4Addr, u32>>>;

/// A web server on one address, or on all, until it is dropped; then its port is closed.
struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    at: SocketAddr,
}

impl Server {
    fn start(addr: Ipv4Addr, port: u16, answered: &Answered) -> anyhow::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((addr, port)).into()).with_context(|| format!("{addr}:{port}"))?;
        socket.listen(1024)?;
        let listener: TcpListener = socket.into();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopping, answered) = (Arc::clone(&stop), Arc::clone(answered));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopping.load(Ordering::Relaxed) {
                    break;
                }
                // A request of a check is one packet; one that does not come is not waited for long.
                let _ = answer(stream, &answered);
            }
        });
        let at = if addr.is_unspecified() { Ipv4Addr::LOCALHOST } else { addr };
        Ok(Self { stop, thread: Some(thread), at: (at, port).into() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.at);
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn answer(mut stream: TcpStream, answered: &Answered) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut request = [0; 2048];
    if stream.read(&mut request)? > 0 {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nOK\n")?;
        if let SocketAddr::V4(local) = stream.local_addr()? {
            *answered.lock().expect("no panics").entry(*local.ip()).or_default() += 1;
        }
    }
    Ok(())
}

/// A port that answers nothing: the queue of its listener is full, so that the kernel drops what comes.
fn hole(addr: Ipv4Addr) -> anyhow::Result<(socket2::Socket, Vec<socket2::Socket>)> {
    let new = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let listener = new()?;
    listener.set_reuse_address(true)?;
    let at = SocketAddr::from((addr, HOLE)).into();
    listener.bind(&at)?;
    listener.listen(0)?;
    let mut queued = Vec::new();
    for _ in 0..3 {
        let client = new()?;
        client.set_nonblocking(true)?;
        let _ = client.connect(&at);
        queued.push(client);
    }
    Ok((listener, queued))
}

/// The daemon under measurement.
struct Daemon {
    child: Child,
    file: PathBuf,
    started: Instant,
    questions: ChildStdin,
    answers: BufReader<ChildStderr>,
    log: mpsc::Receiver<String>,
}

impl Daemon {
    fn start(dir: &std::path::Path, text: &str) -> anyhow::Result<Self> {
        let file = dir.join("bench.cf");
        std::fs::write(&file, text)?;
        let started = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "director"])
            .arg(&file)
            .env("LVS_HA_RUN_DIR", dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
        let ((questions, said), answers) = pipes.context("pipes")?;
        let (lines, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        Ok(Self { child, file, started, questions, answers: BufReader::new(answers), log })
    }

    fn ask(&mut self, question: &str) -> anyhow::Result<usize> {
        writeln!(self.questions, "{question}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim().parse().with_context(|| format!("the daemon said: {line}"))
    }

    /// Asks until the answer is right; seconds since the start.
    fn until(&mut self, question: &str, right: impl Fn(usize) -> bool) -> anyhow::Result<f64> {
        let limit = Duration::from_secs(300);
        loop {
            let n = self.ask(question)?;
            let at = self.started.elapsed();
            if right(n) {
                return Ok(at.as_secs_f64());
            }
            ensure!(at < limit, "after {} s: {n} {question}", limit.as_secs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a line of the log with both texts.
    fn said(&mut self, what: &str, whom: &str) -> anyhow::Result<()> {
        loop {
            let line = self.log.recv_timeout(Duration::from_secs(120)).with_context(|| format!("no line {what} {whom}"))?;
            if line.contains(what) && line.contains(whom) {
                return Ok(());
            }
        }
    }

    /// Has the file read again; seconds until it is in force, and processor time. `changes`: writes that are due.
    fn reload(&mut self, changes: usize) -> anyhow::Result<(f64, f64)> {
        let (wanted, (before, _)) = (self.ask("writes")? + changes, used(self.child.id())?);
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGHUP)?;
        let began = Instant::now();
        if changes == 0 {
            self.said("was read again", "and is in force")?;
        }
        // Of very many lines at once the log leaves out some.
        while self.ask("writes")? < wanted {
            ensure!(began.elapsed() < Duration::from_secs(300), "the reload does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok((began.elapsed().as_secs_f64(), used(self.child.id())?.0 - before))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
