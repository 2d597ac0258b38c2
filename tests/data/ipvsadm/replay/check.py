#!/usr/bin/env python3
"""Replay the recorded ipvsadm cases against any ipvsadm-like executable.

  check.py --ipvsadm CMD [--cases DIR] [--only SUBSTRING] [--part N/M] [-v]

--part 2/4: of every four cases the second.

Each case runs in its own network namespace (root, kernel with IPVS). Compared: exit code, stdout
(byte for byte unless the step says otherwise), and whether stderr is empty. Last line:
'N passed, M failed'; exit status 1 if anything failed.
"""
import argparse, difflib, os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import replay


def compare(step, got, size):
    bad = []
    if got["exit"] != step["exit"]:
        bad.append("exit %s, expected %s (stderr: %r)" % (got["exit"], step["exit"], got["stderr"][:200]))
    want, have = step["stdout"], got["stdout"]
    if size:
        want = re.sub(r"\(size=\d+\)", "(size=%d)" % size, want)
    mode = step.get("match", "exact")
    if mode == "nonempty":
        if not have.strip():
            bad.append("stdout is empty")
    elif mode == "regex":
        if not re.search(step["pattern"], have, flags=re.M):
            bad.append("stdout does not match %r: %r" % (step["pattern"], have[:300]))
    else:
        want, have = replay.masked(want, step), replay.masked(have, step)
        if step.get("sort_lines"):      # the connection table is in hash order, different each boot
            want, have = ("".join(sorted(x.splitlines(True))) for x in (want, have))
        if want != have:
            bad.append("stdout differs\n" + "".join(
                "      " + l + ("" if l.endswith("\n") else "\n") for l in difflib.unified_diff(
                    want.splitlines(True), have.splitlines(True), "expected", "got")))
    if bool(got["stderr"].strip()) != bool(step["stderr"].strip()):
        bad.append("stderr %r, expected %s" % (got["stderr"][:200], "some text" if step["stderr"].strip() else "none"))
    return bad


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--ipvsadm", required=True)
    ap.add_argument("--cases", default=os.path.join(replay.FIXTURES, "cases"))
    ap.add_argument("--only", default="")
    ap.add_argument("--part", default="1/1")
    ap.add_argument("-v", action="store_true")
    a = ap.parse_args()
    ok = ng = 0
    size = replay.table_size()
    part, parts = map(int, a.part.split("/"))
    for n, (path, case) in enumerate(replay.load(a.cases)):
        if n % parts != part - 1:
            continue
        if a.only not in case["name"]:
            continue
        try:
            got = replay.run_case(a.ipvsadm, case)
            bad, n = [], 0
            for s in case["steps"]:
                if "shell" in s:
                    continue
                b = compare(s, got[n], size)
                bad += ["step %d `%s`: %s" % (n + 1, " ".join(s["args"]), x) for x in b]
                n += 1
        except RuntimeError as e:
            bad = [str(e)]
        if bad:
            ng += 1
            print("FAIL %s" % case["name"])
            for b in bad if a.v else bad[:3]:
                print("    " + b.rstrip())
        else:
            ok += 1
            print("pass %s" % case["name"])
        sys.stdout.flush()
    print("%d passed, %d failed" % (ok, ng))
    sys.exit(1 if ng or not ok else 0)


if __name__ == "__main__":
    main()
