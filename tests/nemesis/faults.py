"""What nemesis does to a running system, and how it takes all of it back."""

import ctypes
import mmap
import os
import signal
import socket
import struct
import subprocess
import time

HOUR_US = 3600 * 1000 * 1000
SYS_PIDFD_GETFD = 438
# Half a minute of a stopped nginx worker is its clients' loss, not ours.
WORKER_STOP_S = 2.0


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().decode("latin-1").split("\0")
    except OSError:
        return []


def parents():
    """pid to (state, parent's pid) of every process."""
    found = {}
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % pid, encoding="latin-1") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        found[int(pid)] = fields[0], int(fields[1])
    return found


class Clock:
    """The wall clock of the programs under test (clock.c)."""

    def __init__(self, folder):
        with open(os.path.join(folder, "clock"), "w+b") as f:
            f.write(b"\0" * mmap.PAGESIZE)
            f.flush()
            self.map = mmap.mmap(f.fileno(), mmap.PAGESIZE)

    def set(self, microseconds):
        self.map[:8] = struct.pack("=q", int(microseconds))


def fill(folder):
    """Path of a file that takes all the room there is."""
    path = os.path.join(folder, "full")
    with open(path, "ab", buffering=0) as f:
        try:
            while True:
                f.write(b"\0" * 65536)
        except OSError:
            pass
    return path


def mount(folder, size):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size,
                           "none", folder], capture_output=True, check=False)
    return done.returncode == 0


def unmount(folder):
    subprocess.run(["umount", "-l", folder], check=False)


def cut_connections(pid, part):
    """Shuts the process's unix connections down whose name has 'part';
    how many."""
    libc = ctypes.CDLL(None, use_errno=True)
    count = 0
    try:
        pidfd = os.pidfd_open(pid)
        numbers = [int(n) for n in os.listdir("/proc/%d/fd" % pid)]
    except OSError:
        return 0
    for number in numbers:
        fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
        if fd < 0:
            continue
        try:
            end = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)
            continue
        try:
            names = "%s %s" % (end.getsockname(), end.getpeername())
            if part in names:
                end.shutdown(socket.SHUT_RDWR)
                count += 1
        except OSError:
            pass    # a listener, or no unix socket
        end.close()
    os.close(pidfd)
    return count


class Faults:
    """Faults of one run; 'n' is the Nemesis."""

    def __init__(self, n):
        self.n = n
        self.random = n.random
        self.clock = None
        self.stopped = {}     # pid -> when
        self.full = []
        self.small = {}       # proxies on a disk of their own
        self.raw = []         # half-open connections to the bus
        self.hurt = []        # (when, proxy) of killed nginx workers
        self.counts = {}
        self.emptied = False
        self.kinds = self._kinds()

    # ---- processes ----

    def processes(self):
        """Kind to pids of all that belongs to the system."""
        found, system = {}, self.n.system
        family = parents()
        for pid in family:
            words = command_line(pid)
            if not any(system.folder in w for w in words):
                continue
            base = os.path.basename(words[0])
            if "agent" in words:
                kind = "worker" if "--worker" in words else "keeper"
            elif base == "bulkhead-extension":
                kind = "extension"
            elif base == "bulkhead-supervisor":
                kind = ("supervisor" if system.process is not None
                        and pid == system.process.pid else "reader")
            elif words[0].startswith("nginx: master") or base == "nginx":
                # "nginx -t" of a check names a scratch folder.
                kind = "check" if "-t" in words[0].split() or \
                    "-t" in words else "master"
            else:
                continue
            found.setdefault(kind, []).append(pid)
        masters = set(found.get("master", []))
        found["nginx worker"] = [
            pid for pid, (_, parent) in family.items()
            if parent in masters
            and command_line(pid)[:1] == ["nginx: worker process"]]
        return found

    def hit(self, kind, number):
        pids = sorted(self.processes().get(kind, []))
        if not pids:
            return
        pid = self.random.choice(pids)
        try:
            if kind == "nginx worker":
                where = os.path.basename(os.readlink("/proc/%d/cwd" % pid))
                self.hurt.append((time.monotonic(), where))
            os.kill(pid, number)
        except OSError:
            return
        if number == signal.SIGSTOP:
            self.stopped[pid] = time.monotonic(), kind

    def go_on(self, kinds=None):
        for pid, (_, kind) in list(self.stopped.items()):
            if kinds is not None and kind not in kinds:
                continue
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
            del self.stopped[pid]

    def go_on_in_time(self):
        """No client waits longer for a stopped nginx than it would."""
        now = time.monotonic()
        if any(kind == "nginx worker" and now - when > WORKER_STOP_S
               for when, kind in self.stopped.values()):
            self.go_on(("nginx worker",))

    # ---- Docker ----

    def engine(self):
        path = self.random.choice(
            ["/tasks", "/services", "/networks", "/events", "/services*"])
        modes = ["error", "error", "cut", "hang", "drop", "noise", "html"]
        # The third of the same lists is believed, as it should be.
        if not self.emptied:
            modes.append("empty")
        mode = self.random.choice(modes)
        count = self.random.randrange(1, 3 if mode == "empty" else 5)
        self.emptied = self.emptied or mode == "empty"
        self.n.say("%s on %s, %d times", mode, path, count)
        self.n.fake.sim("POST", "/faults", {
            "path": path, "mode": mode, "status": 500, "count": count})

    def stream(self):
        mode = self.random.choice(["lose", "twice", "swap", "halt", "cut"])
        self.n.say("events: %s", mode)
        self.n.front.set(mode, only="/events",
                         at=self.random.randrange(1, 4000))

    def bytes(self):
        mode = self.random.choice(["cut", "halt", "half", "delay", "silent"])
        self.n.say("docker.sock: %s", mode)
        self.n.front.set(mode, at=self.random.randrange(1, 20000),
                         seconds=0.05)

    def socket(self):
        getattr(self.n.front, self.random.choice(
            ["drop", "refuse", "absent"]))()

    def watch(self):
        if not self.n.push:
            return
        action = self.random.choice(
            ["cut", "end", "silent", "duplicate", "disorder", "hang",
             "compact", "refuse"])
        self.n.say("watch: %s", action)
        self.n.fake.sim("POST", "/watch/" + action)

    # ---- bus, control, clock, disk ----

    def bus_folder(self):
        return os.path.join(self.n.system.run_dir, "bus",
                            self.random.choice(self.n.names))

    def deafen(self):
        """The bus loses its name: nobody new can dial it."""
        for entry in os.listdir(self.bus_folder()):
            try:
                os.unlink(os.path.join(self.bus_folder(), entry))
            except FileNotFoundError:
                pass

    def knock(self):
        """Connections that say nothing, some of which stay."""
        folder = self.bus_folder()
        for entry in sorted(os.listdir(folder)) * 4:
            end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            end.setblocking(False)
            try:
                end.connect(os.path.join(folder, entry))
            except OSError:
                end.close()
                continue
            if self.random.random() < 0.3:
                self.raw.append(end)
            else:
                end.close()

    def sever(self):
        kind, part = self.random.choice(
            [("reader", "/bus/"), ("extension", "/bus/"),
             ("extension", "/control/"), ("worker", "/control/"),
             ("reader", "docker")])
        cut = sum(cut_connections(pid, part)
                  for pid in self.processes().get(kind, []))
        self.n.say("%d connections of %s cut: %s", cut, kind, part)

    def step(self):
        hours = self.random.choice([-72, -5, -1, -0.01, 0.01, 1, 5, 72])
        self.n.say("wall clock: %+g h", hours)
        self.clock.set(hours * HOUR_US)

    def full_disk(self):
        if self.n.mounted:
            self.full.append(fill(self.n.system.folder))

    def full_proxy(self):
        if self.small:
            self.full.append(fill(self.small[
                self.random.choice(sorted(self.small))]))

    def free_disk(self):
        for path in set(self.full):
            os.unlink(path)
        self.full.clear()

    # ---- all of them ----

    def _kinds(self):
        kinds = [("nothing", lambda: None)]
        for part in ("reader", "extension", "worker", "keeper", "master",
                     "supervisor", "nginx worker"):
            for word, number in (("kill", signal.SIGKILL),
                                 ("stop", signal.SIGSTOP)):
                kinds.append(("%s %s" % (word, part),
                              lambda p=part, n=number: self.hit(p, n)))
        return kinds + [
            ("term extension", lambda: self.hit("extension",
                                                signal.SIGTERM)),
            ("engine", self.engine), ("engine", self.engine),
            ("cut events", lambda: self.n.fake.sim("POST", "/events/cut")),
            ("pause events",
             lambda: self.n.fake.sim("POST", "/events/pause")),
            ("stream", self.stream), ("bytes", self.bytes),
            ("socket", self.socket), ("watch", self.watch),
            ("watch", self.watch), ("deafen", self.deafen),
            ("knock", self.knock), ("sever", self.sever),
            ("clock", self.step), ("full disk", self.full_disk),
            ("full proxy", self.full_proxy),
        ]

    def one(self):
        name, action = self.random.choice(self.kinds)
        self.n.say("%s", name)
        self.counts[name] = self.counts.get(name, 0) + 1
        try:
            action()
        except (AssertionError, FileNotFoundError) as error:
            self.n.say("%s: %s", name, str(error)[:100])  # another met it

    def burst(self):
        """One fault, or several at once."""
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            self.one()

    def heal(self):
        """Ends them all but the clock's: wrong it may stay."""
        self.go_on()
        self.free_disk()
        while self.raw:
            self.raw.pop().close()
        self.n.front.set("pass")
        self.n.front.listen()
        self.n.fake.sim("DELETE", "/faults")
        self.n.fake.sim("POST", "/events/resume")
        if self.n.push:
            self.n.fake.sim("POST", "/watch/normal")
        self.emptied = False
