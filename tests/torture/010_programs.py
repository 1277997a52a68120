#!/usr/bin/env python3
"""Programs that run once, out of memory at any allocation."""

import collections
import concurrent.futures
import os
import shutil

import procs
import tap
import torture

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEMP = procs.TempDir("bh-torture-")
tap.cleanup(TEMP.remove)
SAMPLES = 60
INI = TEMP.join("blue.ini")
SNAPSHOT = os.path.join(TESTS, "fixtures", "engine", "snapshot.json")
JOBS = 2


def write(name, text):
    with open(TEMP.join(name), "w") as out:
        out.write(text)
    return TEMP.join(name)


write("blue.ini", """[cluster]
default = true
[proxy]
driver = local
replicas = 2
published_port = 21080
[nginx]
http_options = gzip on;
""")


def tree(folder):
    """{path: bytes} of all files below."""
    found = {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


class Flow:
    """A program with its arguments; what it does when nothing fails."""

    def __init__(self, name, *argv):
        self.name = name
        self.argv = argv
        failing = torture.Failing(TEMP.join(name + ".failing"))
        failing.arm(0)
        folder = TEMP.join(name + ".good")
        os.mkdir(folder)
        self.code, self.out, self.err = self.run(failing, folder)
        self.count = failing.count
        self.good = tree(folder)
        failing.close()
        tap.ok(self.count > 0, "no allocation was counted")
        tap.ok(torture.judge(self.code, self.err or "-") != "died", self.err)

    def run(self, failing, folder):
        return torture.run([procs.binary(self.argv[0]), *self.argv[1:]],
                           failing, folder)

    def fail(self, first, last):
        """How it ended; Wrong with the numbers in its words."""
        what = "%s.%d.%s" % (self.name, first, "one" if first == last else
                             "on")
        folder = TEMP.join(what)
        os.mkdir(folder)
        failing = torture.Failing(folder + ".failing")
        failing.arm(first, last)
        try:
            code, out, err = self.run(failing, folder)
            if failing.failed == 0:
                return "unmet"
            how = torture.judge(code, err)
            left = tree(folder)
            for path, text in left.items():
                if text != self.good.get(path):
                    raise torture.Wrong("leaves %s, not whole" % path)
            if code == self.code:
                how = "done"
                if out != self.out:
                    raise torture.Wrong("ends well but says %r" % out[-2000:])
                if left != self.good:
                    raise torture.Wrong("ends well without its files")
            return how
        except torture.Wrong as wrong:
            raise torture.Wrong("allocation %d%s (for %s): %s" % (
                first, "" if first == last else " and all later",
                failing.caller, wrong)) from None
        finally:
            failing.close()
            shutil.rmtree(folder)
            os.unlink(folder + ".failing")

    def torture(self, samples=SAMPLES):
        seen = collections.Counter()
        wrongs = []
        tries = [(k, k) for k in torture.numbers(
            self.count, samples, torture.SEED)]
        tries += [(k, torture.EVER) for k in torture.numbers(
            self.count, samples // 3 * (10 if torture.ALL else 1),
            torture.SEED + 1, False)]
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for job in [pool.submit(self.fail, *t) for t in tries]:
                try:
                    seen[job.result()] += 1
                except torture.Wrong as wrong:
                    wrongs.append(str(wrong))
        tap.note("%s: %d allocations, %d runs: %s" % (
            self.name, self.count, len(tries), dict(seen)))
        if wrongs:
            raise AssertionError("%d of %d ends are wrong:\n%s" % (
                len(wrongs), len(tries), "\n".join(wrongs[:12])))
        tap.ok(seen["died"] > 0, "nothing failed")


@tap.test
def render_dies_in_order_and_leaves_no_half_file():
    Flow("render", "proxyctl", "render", "--cluster", INI, "--snapshot",
         SNAPSHOT, "--out", "out").torture()


@tap.test
def validate_never_calls_a_service_bad_for_want_of_memory():
    Flow("validate", "proxyctl", "validate", "--cluster", INI, "--snapshot",
         SNAPSHOT, "--json").torture()


@tap.test
def explain_says_nothing_wrong():
    Flow("explain", "proxyctl", "explain", "--cluster", INI, "--snapshot",
         SNAPSHOT, "web").torture()


@tap.test
def check_never_finds_a_mistake_that_is_none():
    os.makedirs(TEMP.join("clusters.d"), exist_ok=True)
    shutil.copy(INI, TEMP.join("clusters.d", "blue.ini"))
    daemon = write("bulkhead.ini", "[supervisor]\nrun_dir = %s\n"
                   "clusters_dir = %s\n" % (TEMP.join("run"),
                                            TEMP.join("clusters.d")))
    Flow("check", "bulkhead-supervisor", "-c", daemon, "--check").torture()


@tap.test
def import_leaves_whole_files_or_none():
    toml = sorted(os.listdir(os.path.join(TESTS, "fixtures", "toml")))[0]
    Flow("import", "proxyctl", "import", os.path.join(
        TESTS, "fixtures", "toml", toml), "--out", "out").torture()


tap.main()
