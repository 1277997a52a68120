"""What must be so at the end of a run: logs, zombies, descriptors."""

import os
import re

import faults
import procs

BAD = re.compile(r"Sanitizer|runtime error|: must\(|assertion|"
                 r"\[(alert|emerg|crit)\]", re.IGNORECASE)
# What a fault of ours must leave in nginx's log.
OURS = re.compile(r"exited on signal 9|No space left|\(28: |"
                  r"connect\(\) failed")
MORE = 4


def logs(system):
    """Lines of all logs that nobody should have to read."""
    bad = []
    folder = os.path.join(system.run_dir, "log")
    paths = [system.log] + [os.path.join(folder, name)
                            for name in sorted(os.listdir(folder))]
    for path in paths:
        with open(path, errors="replace") as f:
            bad += ["%s: %s" % (os.path.basename(path), line.strip())
                    for line in f if BAD.search(line)
                    and not OURS.search(line)]
    return bad


def descriptors(found):
    """(kind, fewest and most open descriptors) of the system's parts."""
    counts = {}
    for kind in ("supervisor", "reader", "extension", "keeper", "worker",
                 "master"):
        for pid in found.processes().get(kind, []):
            try:
                number = len(os.listdir("/proc/%d/fd" % pid))
            except OSError:
                continue
            counts[kind] = max(counts.get(kind, 0), number)
    return counts


def check(found, before, deadline=40.0):
    """AssertionError, or all is as it should be."""
    def is_clean():
        pids = {p for kind in found.processes().values() for p in kind}
        zombies = [pid for pid, (state, parent) in faults.parents().items()
                   if state == "Z" and parent in pids]
        if zombies:
            raise AssertionError("zombies %r" % zombies)
        now = descriptors(found)
        grown = {k: (before.get(k), n) for k, n in now.items()
                 if n > before.get(k, 0) + MORE}
        if grown or set(now) != set(before):
            raise AssertionError("descriptors %r: %r" % (now, grown))
        return True
    procs.wait_for(is_clean, deadline, "a clean end", 0.2)
    bad = logs(found.n.system)
    if bad:
        raise AssertionError("%d lines: %s" % (len(bad),
                                               "\n".join(bad[:8])))
