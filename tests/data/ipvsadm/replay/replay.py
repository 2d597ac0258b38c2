"""Shared by check.py and record.py: runs one case (a list of steps) in a fresh
network + mount namespace against an ipvsadm-like executable.

A case is a JSON object:
  name, about            strings
  steps                  list; each step is either
    {"shell": "..."}     set-up run with /bin/sh, not compared (must exit 0)
    {"args": [...],      one command line (without the program name)
     "stdin": "...",     optional
     "exit": n, "stdout": "...", "stderr": "...",     what the real tool gave
     "match": "exact" | "nonempty" | "regex",         optional; how stdout is compared
     "pattern": "...",   for match=regex (searched, multi-line)
     "mask": [[re, repl], ...],                       optional; applied to both sides
    "sort_lines": true}                              optional; line order does not matter
Standard library only. Needs root and a kernel with IPVS, network namespaces and dummy devices.
"""
import ctypes, json, os, re, shlex, shutil, subprocess, sys, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.dirname(HERE)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE, MS_BIND = 0x4000, 1 << 18, 0x1000
libc = ctypes.CDLL(None, use_errno=True)

NET = """link set lo up
link add dummy0 type dummy
addr add 10.9.0.1/24 dev dummy0
addr add fd00:9::1/64 dev dummy0 nodad
link set dummy0 up
"""


def die_errno(what):
    e = ctypes.get_errno()
    raise OSError(e, "%s: %s" % (what, os.strerror(e)))


def fresh_namespaces():
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET):
        die_errno("unshare")
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        die_errno("mount private")
    for f in ("hosts", "services", "nsswitch.conf", "resolv.conf"):
        dst = "/etc/" + f
        if os.path.exists(dst):
            if libc.mount(os.path.join(FIXTURES, f).encode(), dst.encode(), None, MS_BIND, None):
                die_errno("bind " + dst)
    subprocess.run(["ip", "-batch", "-"], input=NET, text=True, check=True)


def command(cmd):
    words = shlex.split(cmd)
    if len(words) == 1:
        exe = shutil.which(words[0]) or words[0]
        return os.path.abspath(exe) if os.sep in exe else exe, ["ipvsadm"]
    return None, words


def run_step(cmd, step, timeout=60):
    exe, words = command(cmd)
    env = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C", "LANG": "C"}
    try:
        p = subprocess.run(words + step["args"], executable=exe, input=step.get("stdin", "").encode(),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=timeout)
        rc, out, err = p.returncode, p.stdout, p.stderr
    except subprocess.TimeoutExpired as t:
        rc, out, err = 124, t.stdout or b"", b"timed out"
    return {"exit": rc, "stdout": out.decode("utf-8", "replace"), "stderr": err.decode("utf-8", "replace")}


def run_case(cmd, case):
    """Forks; the child does the work in new namespaces. Returns a list with one result per args-step."""
    r, w = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            os.close(r)
            fresh_namespaces()
            got = []
            for s in case["steps"]:
                if "shell" in s:
                    p = subprocess.run(["/bin/sh", "-c", s["shell"]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                    if p.returncode:
                        raise RuntimeError("set-up failed: %s: %s" % (s["shell"], p.stdout.decode("utf-8", "replace")))
                else:
                    got.append(run_step(cmd, s))
            data = {"got": got}
        except BaseException:
            data = {"error": traceback.format_exc()}
            code = 1
        with os.fdopen(w, "w") as f:
            json.dump(data, f)
        os._exit(code)
    os.close(w)
    with os.fdopen(r) as f:
        text = f.read()
    os.waitpid(pid, 0)
    data = json.loads(text) if text else {"error": "child died"}
    if "error" in data:
        raise RuntimeError(data["error"])
    return data["got"]


def table_size():
    try:
        with open("/sys/module/ip_vs/parameters/conn_tab_bits") as f:
            return 1 << int(f.read())
    except (OSError, ValueError):
        return None


def load(d):
    for f in sorted(os.listdir(d)):
        if f.endswith(".json"):
            p = os.path.join(d, f)
            with open(p) as h:
                yield p, json.load(h)


def masked(text, step):
    for pat, repl in step.get("mask", []):
        text = re.sub(pat, repl, text, flags=re.M)
    return text
