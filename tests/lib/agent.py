"""An agent under test, and what /proc says of its nginx."""

import os
import re
import signal
import sys
import time

import bulkhead
import control
import httpc
import procs


def free_port():
    return bulkhead.free_ports(1)


def parent(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


class Agent:
    """One agent with its own folder, ports and control server."""

    def __init__(self, folder=None, server=None, args=(), user=None):
        self.tmp = procs.TempDir("bulkhead-agent-")
        os.chmod(self.tmp.path, 0o755)
        self.dir = folder or self.tmp.join("proxy")
        self.control = server or control.Control(port=free_port())
        self.port, self.ssl = free_port(), free_port()
        self.health, self.status = free_port(), free_port()
        self.args = list(args)
        if user:
            self.args += ["--user", user]
        self.process = None
        self.runs = 0
        self.logs = []

    @property
    def where(self):
        return "127.0.0.1:%d" % self.port

    def argv(self):
        return [procs.binary("proxyctl"), "agent", "--cluster", "test",
                "--id", "test.0", "--dir", self.dir,
                "--control", self.control.url,
                "--listen", self.where,
                "--listen-ssl", "127.0.0.1:%d" % self.ssl,
                "--status-listen", "127.0.0.1:%d" % self.status,
                "--health-listen", "127.0.0.1:%d" % self.health,
                "--log-level", "debug", "--drain-delay", "200ms"] + self.args

    def start(self, env=None):
        self.runs += 1
        self.logs.append(self.tmp.join("log.%d" % self.runs))
        self.process = procs.Process(self.argv(), self.logs[-1], env=env)
        return self

    def output(self):
        text = ""
        for path in self.logs:
            with open(path, errors="replace") as file:
                text += file.read()
        return text

    # Processes, by their working directory and their title.
    def nginx(self, kind=None):
        """pids of nginx in our folder: master, worker, leaving or all."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            text = procs.title(int(name))
            if not text.startswith("nginx: "):
                continue
            try:
                if os.readlink("/proc/%s/cwd" % name) != self.dir:
                    continue
            except OSError:
                continue
            role = ("master" if "master" in text else
                    "leaving" if "shutting down" in text else "worker")
            if kind in (None, role):
                found.append(int(name))
        return found

    def master(self):
        """The master that the agent counts on, when it serves."""
        with open(os.path.join(self.dir, "nginx.pid")) as file:
            pid = int(file.read())
        return pid if procs.title(pid).startswith("nginx: master") else None

    def worker(self):
        """pid of the agent's worker."""
        for name in os.listdir("/proc"):
            if (name.isdigit() and parent(int(name)) == self.process.pid
                    and procs.title(int(name)).endswith("--worker")):
                return int(name)
        return None

    def get(self, target="/", port=None, timeout=5):
        return httpc.get("127.0.0.1:%d" % (port or self.port), target,
                         timeout=timeout)

    def wait_body(self, text, deadline=30.0):
        procs.wait_for(lambda: self.get().text == text, deadline,
                       "the answer %r" % text)

    def wait_report(self, deadline=60.0, **wanted):
        try:
            return procs.wait_for(lambda: self.control.report(**wanted),
                                  deadline, "a report with %r" % wanted)
        except procs.Timeout as error:
            raise procs.Timeout("%s; the last one: %r" % (
                error, self.control.reports[-1:])) from None

    def apply(self, tree, deadline=60.0, **more):
        """Offers a configuration and waits until it is reported applied."""
        config = self.control.set(tree, **more)
        return self.wait_report(deadline, state="applied", config=config)

    def again(self, deadline=60.0):
        """The report after the same bytes came as another generation."""
        end = time.monotonic() + deadline
        while True:
            # A connection of a killed worker may swallow the answer.
            generation = self.control.again()
            try:
                return self.wait_report(2.0, generation=generation,
                                        state="applied")
            except procs.Timeout:
                if time.monotonic() > end:
                    raise

    def reloads(self):
        return self.control.reports[-1]["reloads"]

    def remove(self):
        """Ends everything by pid, nicely or not."""
        if self.process is not None and self.process.alive():
            self.process.kill(signal.SIGINT)
            try:
                self.process.wait(20)
            except procs.Timeout:
                self.process.kill()
        for pid in self.nginx():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.control.stop()
        if os.environ.get("KEEP"):
            sys.stderr.write("kept %s\n" % self.tmp.path)
        else:
            self.tmp.remove()


BAD = re.compile(r"AddressSanitizer|runtime error:|LeakSanitizer|"
                 r"bulkhead: bug|must\(")


def check_log(text):
    """No sanitizer output, no broken promise, no nginx alert."""
    for line in text.splitlines():
        if BAD.search(line) or "[alert]" in line or "[crit]" in line:
            raise AssertionError("in the log: " + line)
