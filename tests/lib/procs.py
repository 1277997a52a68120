"""Processes of a test: started, watched, ended by pid, output kept."""

import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

BUILD = os.environ.get("BULKHEAD_BUILD") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))), "build", "plain")

# For a test that is run alone, too.
LSAN_OPTIONS = "print_suppressions=0:suppressions=" + os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lsan.supp")
os.environ.setdefault("LSAN_OPTIONS", LSAN_OPTIONS)


def is_open(path):
    """Another user can run what is there, too: no folder above is closed."""
    while os.path.dirname(path) != path:
        if not os.stat(path).st_mode & 0o001:
            return False
        path = os.path.dirname(path)
    return True


class Timeout(AssertionError):
    """A deadline passed."""


def binary(name):
    """Path of a program that we built."""
    return os.path.join(BUILD, "bin", name)


NOT_YET = (AssertionError, OSError, ValueError, LookupError, TypeError,
           http.client.HTTPException)


def wait_for(predicate, deadline=30.0, what="", step=0.01):
    """
    Calls predicate() until it returns something true, and returns that.
    An answer that fails, or lacks what is asked for, counts as "not yet".
    """
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last = "last value %r" % (value,)
        except NOT_YET as error:
            last = "last error: %s" % (error,)
        if time.monotonic() >= end:
            raise Timeout("%s: not within %.1f s (%s)" % (
                what or getattr(predicate, "__name__", "condition"),
                deadline, last))
        time.sleep(step)


def title(pid):
    """What a process calls itself; "" when it is gone."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def random_moment(generator, most):
    """Lets up to 'most' seconds pass: a kill comes at no set moment."""
    threading.Event().wait(generator.uniform(0, most))


class TempDir:
    """A private folder; remove() it at the end (tap.cleanup)."""

    def __init__(self, prefix="bulkhead-test-"):
        self.path = tempfile.mkdtemp(prefix=prefix)

    def join(self, *parts):
        return os.path.join(self.path, *parts)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Process:
    """One program, in a session of its own, its output in a file."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.argv = [str(a) for a in argv]
        self.log_path = log
        full = dict(os.environ)
        full.update(env or {})
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, env=full, cwd=cwd,
                start_new_session=True)
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def output(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def kill(self, number=signal.SIGKILL):
        if self.alive():
            self.popen.send_signal(number)

    def wait(self, deadline=30.0):
        """The exit status (negative: the signal); Timeout after deadline."""
        try:
            return self.popen.wait(deadline)
        except subprocess.TimeoutExpired:
            raise Timeout("%s (pid %d) does not end; its output:\n%s" % (
                self.argv[0], self.pid, self.output()[-4000:])) from None

    def stop(self, deadline=30.0):
        """SIGTERM, then SIGKILL after the deadline; the exit status."""
        self.kill(signal.SIGTERM)
        try:
            return self.wait(deadline)
        except Timeout:
            self.kill()
            self.popen.wait()
            raise

    def descriptors(self):
        """How many descriptors it has open."""
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def rss_kb(self):
        with open("/proc/%d/status" % self.pid) as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def cpu_s(self):
        with open("/proc/%d/stat" % self.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
