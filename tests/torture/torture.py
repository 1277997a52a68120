"""Allocations that fail: one flow of a program, run again and again, each
time with another allocation failing (failmalloc.c).

A process that is out of memory ends by our own hand and says so, or says what
it could not do and why; else it does what it would have done.  It never ends
by any other signal, breaks a promise of its own, says something wrong, or
leaves half a file.
"""

import mmap
import os
import random
import re
import signal
import struct
import subprocess

import procs

LIBRARY = os.path.abspath(
    os.path.join(procs.BUILD, "torture", "failmalloc.so"))
ALL = os.environ.get("TORTURE") == "all"
SEED = int(os.environ.get("SEED") or 1)
EVER = 2 ** 62
OUR_WORDS = "out of memory"
BROKEN = re.compile(
    r"AddressSanitizer|LeakSanitizer|runtime error|must\(.*\) failed|"
    r"Assertion|stack smashing|corrupted|double free|invalid pointer")
# AddressSanitizer asks for the stack of each new thread and takes no failure
# of that allocation, its own, for an answer: it ends the process in order.
SANITIZERS_OWN = re.compile(
    r"AddressSanitizer: CHECK failed: \S+ \"\(\(pthread_getattr_np\(.*")
# nng 1.5.2 comes to grief where it cannot allocate: without memory for its own
# start it waits on locks that it has not made, a socket that it cannot open it
# frees by a wrong address or names after it has freed it.  Reports of that:
# the first frame that is no function of the C library's is libnng's.
NNGS_OWN = re.compile(
    r"(?:AddressSanitizer:DEADLYSIGNAL\n)?=+\n"
    r"==\d+==ERROR: AddressSanitizer: .*\n(?:(?:==|READ|WRITE).*\n)*"
    r"(?:    #\d+ \S+ in (?:__interceptor_\w+|__GI_\w+|_*pthread_\w+|free) "
    r".*\n)*    #\d+ \S+ .*\(\S*/libnng\.so\S*\)\n"
    r"(?:.*\n)*?==\d+==ABORTING")


def preload():
    return {"LD_PRELOAD": LIBRARY,
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
            + ":verify_asan_link_order=0:detect_leaks=0"}


class Failing:
    """The file that a preloaded process shares with us."""

    FORM = struct.Struct("<QQQQQQ200s")

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as out:
            out.write(bytes(4096))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 4096)

    def env(self):
        """What makes one process count and fail."""
        return dict(preload(), FAILMALLOC_FILE=self.path)

    def read(self):
        """count, first, last, failed, pid, size, caller"""
        values = self.FORM.unpack_from(self.map)
        return values[:6] + (values[6].split(b"\0")[0].decode(),)

    @property
    def count(self):
        return self.read()[0]

    @property
    def failed(self):
        return self.read()[3]

    @property
    def caller(self):
        return self.read()[6]

    def arm(self, first, last=None):
        """Fails from 'first' to 'last', counted from now on."""
        self.map[:self.FORM.size] = self.FORM.pack(
            0, first, first if last is None else last, 0, 0, 0, b"")

    def disarm(self):
        self.map[8:24] = bytes(16)

    def close(self):
        self.map.close()


def numbers(count, samples, seed, every=ALL):
    """Which allocations fail, of 'count': all of them, or some."""
    if every or count <= samples:
        return list(range(1, count + 1))
    return sorted(random.Random(seed).sample(range(1, count + 1), samples))


class Wrong(AssertionError):
    """An end that nobody may have."""


def judge(code, text):
    """"died", "said" (with words) or "done"; Wrong for anything else."""
    if BROKEN.search(text):
        raise Wrong("ends with %s and says:\n%s" % (code, text[-3000:]))
    if code == -signal.SIGABRT and OUR_WORDS in text:
        return "died"
    if code == 0:
        return "done"
    if code > 0 and text.strip():
        return "said"
    raise Wrong("ends with %s and says:\n%s" % (code, text[-3000:]))


def run(argv, failing, cwd):
    done = subprocess.run(argv, env=dict(os.environ, **failing.env()),
                          stdin=subprocess.DEVNULL, capture_output=True,
                          cwd=cwd, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")
