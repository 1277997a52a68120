#!/usr/bin/env python3
"""kill -9 of every process in turn, under a witness load: traffic goes on,
what was killed is back in its time, and the same bytes reload nothing."""

import json
import os
import signal

import bulkhead
import engine
import procs
import tap
import witness
from bulkhead import lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)


class Load:
    """Witnesses on every proxy of both clusters; answers must be the right
    service's."""

    def __enter__(self):
        self.all = []
        for name, host, service in (("blue", "web.example", "web"),
                                    ("green", "green.example", "green-web")):
            for i in range(system.clusters[name].replicas):
                self.all.append(witness.Witness(
                    system.clusters[name].where(i), host=host, rate=60,
                    expect=lambda body, s=service:
                    json.loads(body)["service"] == s).start())
        return self

    def __exit__(self, *_):
        for w in self.all:
            w.stop()

    def check(self):
        for w in self.all:
            w.wait_count(10)
        for w in self.all:
            w.stop()
            w.check()


def figures(name):
    detail = system.detail(name)
    return {k: detail[k] for k in ("generation", "reloads")}


def prove_alive():
    """A change made now is served: the whole path works again."""
    prove_alive.count += 1
    host = "alive%d.example" % prove_alive.count
    fake.set_label("web", "com.docker.lb.hosts", "web.example," + host)
    system.wait_served("blue", host)
    system.wait_applied("blue")


prove_alive.count = 0


def kill_and_see(pid_of, deadline):
    """Kills, waits until another pid is ready, proves the path."""
    with Load() as load:
        before = {n: figures(n) for n in ("blue", "green")}
        old = pid_of()
        os.kill(old, signal.SIGKILL)
        procs.wait_for(lambda: pid_of() not in (0, old), deadline,
                       "another process in the place of %d" % old, 0.02)
        system.wait_ready()
        for name in ("blue", "green"):
            tap.equal(figures(name), before[name], name)
        prove_alive()
        load.check()


@tap.test
def reader_killed():
    kill_and_see(lambda: system.status()["reader"]["pid"], 30)


@tap.test
def extension_killed():
    kill_and_see(lambda: system.cluster_status("blue")["pid"], 30)


@tap.test
def the_next_extension_is_not_ready_by_what_the_last_one_said():
    reader = system.status()["reader"]["pid"]
    old = system.cluster_status("blue")["pid"]
    seen = []

    def waits():
        blue = system.cluster_status("blue")
        if blue["pid"] in (0, old):
            return False
        seen.append(blue["state"])
        return blue["state"] == "waiting"
    # Without a reader the next one cannot learn what there is.
    os.kill(reader, signal.SIGSTOP)
    try:
        os.kill(old, signal.SIGKILL)
        procs.wait_for(waits, 30, "another extension that waits", 0.002)
    finally:
        os.kill(reader, signal.SIGCONT)
    tap.ok("ready" not in seen, seen)
    system.wait_ready()


@tap.test
def extension_stopped_is_noticed_and_replaced_within_8_s():
    with Load() as load:
        old = system.cluster_status("blue")["pid"]
        os.kill(old, signal.SIGSTOP)
        procs.wait_for(lambda: system.cluster_status("blue")["pid"]
                       not in (0, old), 48, "another extension", 0.05)
        system.wait_ready()
        prove_alive()
        load.check()


@tap.test
def reader_stopped_is_noticed_and_replaced_within_8_s():
    with Load() as load:
        old = system.status()["reader"]["pid"]
        os.kill(old, signal.SIGSTOP)
        procs.wait_for(lambda: system.status()["reader"]["pid"]
                       not in (0, old), 48, "another reader", 0.05)
        system.wait_ready()
        prove_alive()
        load.check()


def agent_pid(proxy, worker):
    """The pid of a proxy's keeper or worker; 0: none now."""
    for pid in system.agent_pids():
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if proxy.encode() in words and (b"--worker" in words) == worker:
            return pid
    return 0


@tap.test
def agent_worker_killed():
    kill_and_see(lambda: agent_pid("blue.0", True), 30)


@tap.test
def agent_keeper_killed_and_nginx_adopted():
    kill_and_see(lambda: agent_pid("blue.1", False), 30)


def nginx_pid():
    path = os.path.join(system.run_dir, "proxies", "blue.0", "nginx.pid")
    try:
        with open(path, encoding="ascii") as f:
            return int(f.read())
    except (OSError, ValueError):
        return 0


@tap.test
def nginx_master_killed():
    with Load() as load:
        old = nginx_pid()
        os.kill(old, signal.SIGKILL)
        procs.wait_for(lambda: nginx_pid() not in (0, old), 30,
                       "another nginx master", 0.02)
        prove_alive()
        load.check()


@tap.test
def supervisor_killed_and_started_again():
    with Load() as load:
        before = {n: figures(n) for n in ("blue", "green")}
        children = [system.status()["reader"]["pid"]] + [
            c["pid"] for c in system.status()["clusters"]]
        system.process.kill()
        system.process.wait()
        procs.wait_for(lambda: not any(
            os.path.exists("/proc/%d" % pid) for pid in children), 30,
            "the children to follow")
        for w in load.all:
            w.wait_count(20)
        system.start()
        for name in ("blue", "green"):
            tap.equal(figures(name), before[name], name)
        prove_alive()
        load.check()


@tap.test
def orderly_stop_of_the_control_plane_alone_loses_no_request():
    for name in ("blue", "green"):
        old = system.clusters[name]
        system.cluster(name, text=old.text, **dict(
            old.proxy, stop_with_supervisor="false"))
    system.ctl("reload")
    system.wait_served("blue", "web.example")
    system.wait_served("green", "green.example")
    with Load() as load:
        tap.equal(system.process.stop(30), 0)
        for w in load.all:
            w.wait_count(20)
        system.start()
        prove_alive()
        load.check()


def zombies():
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % pid, encoding="ascii",
                      errors="replace") as f:
                stat = f.read()
        except OSError:
            continue
        fields = stat.rsplit(")", 1)[1].split()
        if fields[0] == "Z" and int(fields[1]) == system.process.pid:
            found.append(stat)
    return found


@tap.test
def nothing_was_left_behind():
    text = system.process.output()
    tap.ok("Sanitizer" not in text, text[-2000:])
    tap.ok("must(" not in text, text[-2000:])
    # Who has just ended may be one for a moment.
    procs.wait_for(lambda: not zombies(), bulkhead.SOON, "no zombie")


fake.start()
tap.cleanup(fake.stop)
for network in ("front", "back"):
    fake.create_network(network)
system.cluster("blue", replicas=2, text="[cluster]\ndefault = true\n")
system.cluster("green")
tap.cleanup(system.stop)
fake.create_service("web", networks=["front"], replicas=3,
                    labels=lb("web.example"))
fake.create_service("green-web", networks=["back"], replicas=2, labels=lb(
    "green.example", service_cluster="green"))
system.start()
system.wait_served("blue", "web.example")
system.wait_served("green", "green.example")
system.wait_tasks("blue", "web.example", 3)
system.wait_tasks("green", "green.example", 2)
system.wait_applied("blue")
system.wait_applied("green")
tap.main()
