#!/usr/bin/env python3
"""Rights: what each process of a running system has given up."""

import os
import pwd

import bulkhead
import engine
import procs
import tap

fake = engine.FakeSwarm("--task-delay", "10ms")
system = None
# Only then nobody can run what was built.
ROOT = os.geteuid() == 0 and procs.is_open(
    os.path.abspath(procs.binary("bulkhead-extension")))


def start():
    global system
    fake.start()
    os.chmod(fake.dir.path, 0o755)
    os.chmod(fake.socket, 0o660)
    fake.create_network("front")
    fake.create_service("web", networks=["front"],
                        labels=bulkhead.lb("w.example"))
    system = bulkhead.System(fake.socket)
    os.chmod(system.folder, 0o755)
    system.cluster("blue")
    if ROOT:
        # The key belongs to the section that start() writes last.
        class AsNobody(bulkhead.System):
            def write_file(self, path, text):
                if path == self.config:
                    text += "user = nobody\n"
                super().write_file(path, text)
        system.__class__ = AsNobody
    system.start()
    system.wait_served("blue", "w.example")
    system.wait_applied("blue")


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


def children():
    """Name to pid of the supervisor's children and its agents' workers."""
    found = {}
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read().decode().split("\0")
        except OSError:
            continue
        if not any(system.folder in word for word in words):
            continue
        name = os.path.basename(words[0])
        if "agent" in words:
            name = "worker" if "--worker" in words else "keeper"
        elif name == "bulkhead-supervisor":
            name = "supervisor" if int(pid) == system.process.pid \
                else "reader"
        found[name] = int(pid)
    return found


@tap.test
def the_extension_is_unprivileged_and_filtered():
    start()
    status = status_of(system.cluster_status("blue")["pid"])
    if ROOT:
        uid = str(pwd.getpwnam("nobody").pw_uid)
        tap.equal(status["Uid"].split(), [uid] * 4)
        tap.equal(status["Groups"].split(), [])
    tap.equal(int(status["CapEff"], 16), 0 if ROOT else 0)
    tap.equal(status["NoNewPrivs"], "1")
    tap.equal(status["Seccomp"], "2")


@tap.test
def the_reader_is_root_without_capabilities():
    status = status_of(children()["reader"])
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        tap.equal(int(status[kind], 16), 0, kind)
    if ROOT:
        tap.equal(status["Uid"].split()[0], "0")
        tap.equal(int(status["CapBnd"], 16), 0)
    tap.equal(status["NoNewPrivs"], "1")
    tap.equal(status["Seccomp"], "2")


@tap.test
def the_agents_worker_is_filtered():
    status = status_of(children()["worker"])
    tap.equal(status["NoNewPrivs"], "1")
    tap.equal(status["Seccomp"], "2")


@tap.test
def every_thread_is_filtered():
    pid = system.cluster_status("blue")["pid"]
    for thread in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/status" % (pid, thread)) as f:
                text = f.read()
        except OSError:
            continue    # it has ended
        tap.contains(text, "Seccomp:\t2")
        tap.contains(text, "NoNewPrivs:\t1")


@tap.test
def all_works_on_after_each_of_them_was_killed():
    for name in ("reader", "extension", "worker"):
        pid = (system.cluster_status("blue")["pid"] if name == "extension"
               else procs.wait_for(lambda n=name: children()[n],
                                   bulkhead.SOON, "a " + name))
        os.kill(pid, 9)
        fake.create_service("after-" + name, networks=["front"],
                            labels=bulkhead.lb(name + ".example"))
        system.wait_served("blue", name + ".example")


def end():
    if system is not None:
        if os.environ.get("KEEP_LOG"):
            import shutil
            shutil.copy(system.log, os.environ["KEEP_LOG"])
        system.stop()
    fake.stop()


tap.cleanup(end)
tap.main()
