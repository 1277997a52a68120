#!/usr/bin/env python3
"""Runs test programs and adds up what they say.

Every test program speaks TAP on standard output: "ok N - name",
"not ok N - name", "ok N - name # SKIP reason".  The last line here is
"N passed, N failed, N skipped", each skip and failure told before it.

usage: tests/run.py --build DIR [--jobs N] [--only TEXT] GROUP...
A GROUP is a folder below tests/ (unit, system, cases, contract, ...).
"""

import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

import procs  # noqa: E402

TESTS = os.path.dirname(os.path.abspath(__file__))
LINE = re.compile(r"^(not ok|ok)\b\s*\d*\s*-?\s*(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")
DEFAULT_TIMEOUT = 600
# A bus test that ends by SIGALRM met a hang of nng 1.5.2: its reaper thread
# waits for ever for an operation that a closing connection lost, and the next
# nng_close() waits for the reaper.  A process of ours that meets it answers
# no ping and is replaced by the supervisor; here it is run again.
WATCHDOG = -signal.SIGALRM
TRIES = 3


def programs(group, build):
    """The test programs of a group: cmocka binaries or Python scripts."""
    if group == "unit":
        folder = os.path.join(build, "unit")
        names = sorted(n for n in os.listdir(folder) if n.endswith("_test"))
    else:
        folder = os.path.join(TESTS, group)
        names = sorted(n for n in os.listdir(folder)
                       if re.match(r"\d\d\d[_-].*\.(py|sh)$", n))
    return [os.path.join(folder, n) for n in names]


def environment(build):
    env = dict(os.environ)
    env["BULKHEAD_BUILD"] = os.path.abspath(build)
    env["PYTHONPATH"] = os.path.join(TESTS, "lib")
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    env.setdefault("LSAN_OPTIONS", procs.LSAN_OPTIONS)
    env["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
    return env


def execute(path, build):
    """(exit code or "timeout", output) of a test program"""
    command = [sys.executable, path] if path.endswith(".py") else [path]
    with tempfile.TemporaryFile("w+", errors="replace") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, env=environment(build),
            start_new_session=True)
        try:
            code = process.wait(DEFAULT_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = "timeout"
        out.seek(0)
        return code, out.read()


def run_one(path, build):
    """(name, passed, failed, skipped, lines to show)"""
    name = os.path.relpath(path, os.path.dirname(TESTS))
    if name.startswith(".."):
        name = path
    start = time.monotonic()
    show = []
    for _ in range(TRIES):
        code, text = execute(path, build)
        if code != WATCHDOG:
            break
        show.append("again   %s: ended by its watchdog" % name)
    passed, failed, skipped, plan = [], [], [], None
    for line in text.splitlines():
        match = LINE.match(line)
        if PLAN.match(line):
            plan = (plan or 0) + int(PLAN.match(line).group(1))
        if not match:
            continue
        what = match.group(2)
        if "# SKIP" in what.upper():
            skipped.append(what)
        elif match.group(1) == "ok":
            passed.append(what)
        else:
            failed.append(what)
    seen = len(passed) + len(failed) + len(skipped)
    if code != 0 and not failed:
        failed.append("ended with %s" % code)
    elif plan is not None and plan != seen:
        failed.append("planned %d tests, %d told" % (plan, seen))
    elif seen == 0:
        failed.append("told no test")
    for what in skipped:
        show.append("skip %s: %s" % (name, what))
    if failed:
        show.append("---- output of %s" % name)
        show.extend(text.splitlines()[-200:])
        show.extend("FAIL %s: %s" % (name, what) for what in failed)
    show.append("%-8s%s: %d passed%s (%.1f s)" % (
        "FAIL" if failed else "ok", name, len(passed),
        "".join(", %d %s" % (len(n), w) for n, w in
                ((failed, "failed"), (skipped, "skipped")) if n),
        time.monotonic() - start))
    return name, passed, failed, skipped, show


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="programs whose path has this text")
    parser.add_argument("groups", nargs="+")
    args = parser.parse_args()
    # nginx's workers, which root makes nobody, read what tests write.
    os.umask(0o022)
    paths = [p for g in args.groups for p in programs(g, args.build)]
    if args.only:
        paths = [p for p in paths if args.only in p]
    totals = [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(run_one, p, args.build) for p in paths]
        for job in concurrent.futures.as_completed(jobs):
            _, passed, failed, skipped, show = job.result()
            print("\n".join(show), flush=True)
            for i, found in enumerate((passed, failed, skipped)):
                totals[i] += len(found)
    print("%d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main())
