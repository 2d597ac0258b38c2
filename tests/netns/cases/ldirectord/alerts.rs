//! Who is told when a server dies: mail, webhook, hook, fallbackcommand, monitor file; while one of the receivers hangs.

use anyhow::ensure;

use super::{FILE, LOG, PATIENCE, becomes, director, server};
use crate::lab::{Lab, wait_for};
use crate::runner::Failure;

const SERVICE: &str = "-A -t 10.9.0.100:80 -s rr";
const FIRST: &str = "-a -t 10.9.0.100:80 -r 10.9.0.11:8001 -m -w 1";

/// A mail server that takes one recipient a line, a web server that keeps what is posted, and one that never answers.
const RECEIVERS: &str = r#"
import http.server, socketserver, threading, time
class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        say = lambda text: self.wfile.write(text.encode() + b"\r\n")
        say("220 mail.test")
        data, seen = False, []
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            seen.append(line)
            if data:
                if line == ".":
                    data = False
                    say("250 taken")
            elif line.upper().startswith("RCPT") and "," in line:
                say("501 one address")
            elif line.upper() == "DATA":
                data = True
                say("354 go on")
            elif line.upper() == "QUIT":
                say("221 bye")
                break
            else:
                say("250 ok")
        open("/var/tmp/mails", "a").write("\n".join(seen) + "\n\n")
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        open("/var/tmp/posted", "a").write(body + "\n")
        self.send_response(204)
        self.end_headers()
class Silent(socketserver.BaseRequestHandler):
    def handle(self):
        time.sleep(3600)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
for port, handler in [(25, Mail), (8090, Hook), (8091, Silent)]:
    threading.Thread(target=Server(("127.0.0.1", port), handler).serve_forever).start()
open("/var/tmp/ready", "w").write("")
"#;

/// The one server dies and comes back.
pub fn are_sent(lab: &mut Lab) -> Result<(), Failure> {
    let host = director(lab)?;
    let first = server(host, 8001)?;
    host.write_file("/var/tmp/receivers.py", RECEIVERS)?;
    let _receivers = host.spawn("exec python3 /var/tmp/receivers.py")?;
    let contains = |file: &str, words: &[&str]| {
        wait_for(&format!("{words:?} in {file}"), PATIENCE, || {
            let seen = host.read_file(file);
            let found = seen.is_ok();
            let seen = seen.unwrap_or_default();
            Ok(if found && words.iter().all(|w| seen.contains(w)) { Ok(()) } else { Err(seen) })
        })
    };
    contains("/var/tmp/ready", &[])?;
    // The second service's webhook and fallbackcommand hang for ever: nothing of the first may wait for them.
    host.write_file(
        FILE,
        &format!(
            "checktimeout=5\ncheckinterval=1\nlogfile=\"{LOG}\"\nsmtp=127.0.0.1\nemailalertstatus=running\n\
             virtual=10.9.0.100:80\n\treal=10.9.0.11:8001 masq\n\tchecktype=connect\n\tscheduler=rr\n\
             \temailalert=\"ops@test, dev@test\"\n\tservicename=Shop\n\tmonitorfile=/var/tmp/mon\n\
             \t#lvs-ha: webhook http://127.0.0.1:8090/told\n\t#lvs-ha: hook cat >> /var/tmp/hooked; echo $LVS_HA_EVENT $LVS_HA_REAL >> /var/tmp/events\n\
             \tfallbackcommand=\"echo >> /var/tmp/fallback\"\n\
             virtual=10.9.0.101:80\n\treal=10.9.0.11:8001 masq\n\tchecktype=connect\n\tscheduler=rr\n\
             \t#lvs-ha: webhook http://127.0.0.1:8091/\n\tfallbackcommand=\"sleep 3000; echo\"\n"
        ),
    )?;
    let other = ["-A -t 10.9.0.101:80 -s rr", "-a -t 10.9.0.101:80 -r 10.9.0.11:8001 -m -w 1"];
    host.run("ldirectord www.cf start")?.ok()?;
    becomes(host, &[SERVICE, FIRST, other[0], other[1]], PATIENCE)?;
    contains("/var/tmp/mon", &["] connect tcp 10.9.0.11 8001 1 masq / [up] "])?;

    drop(first);
    becomes(host, &[SERVICE, other[0]], PATIENCE)?;
    let subject = "Subject: [Shop] Deleted real server: 10.9.0.11:8001 (10.9.0.100:80)";
    contains("/var/tmp/mails", &["RCPT TO:<ops@test>\n", "RCPT TO:<dev@test>\n", subject, "Date: ", "Daemon-Status: running"])?;
    contains("/var/tmp/posted", &["\"event\":\"deleted\"", "\"service\":\"10.9.0.100:80\"", "\"servicename\":\"Shop\""])?;
    contains("/var/tmp/hooked", &["\"event\":\"deleted\""])?;
    contains("/var/tmp/events", &["deleted 10.9.0.11:8001\n"])?;
    contains("/var/tmp/fallback", &["start 10.9.0.100:80 tcp\n"])?;
    contains("/var/tmp/mon", &["[down] "])?;
    contains(LOG, &["emailalert: Deleted real server: 10.9.0.11:8001 (10.9.0.100:80)"])?;

    let _first = server(host, 8001)?;
    becomes(host, &[SERVICE, FIRST, other[0], other[1]], PATIENCE)?;
    // A long subject is folded.
    contains("/var/tmp/mails", &["Log-Message: [Shop] Added real server: 10.9.0.11:8001 (10.9.0.100:80) (Weight set to 1)"])?;
    host.run("ldirectord www.cf stop")?.ok()?;
    let calls = host.read_file("/var/tmp/fallback")?;
    let last: Vec<&str> = calls.lines().rev().take(2).collect();
    ensure!(last == ["stop 10.9.0.100:80 tcp", "start 10.9.0.100:80 tcp"], "{calls}");
    Ok(())
}
