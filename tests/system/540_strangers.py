#!/usr/bin/env python3
"""What is near the system does it no harm: strangers on the control port,
agents that say nothing, a full log pipe, no descriptors, no memory, and
neighbours of another version."""

import fcntl
import json
import os
import resource
import signal
import socket
import subprocess

import bulkhead
import engine
import httpc
import procs
import tap
import witness
from bulkhead import lb

TOKEN = "0123456789abcdef0123456789abcdef"
SLOW = 40
HALF = 60
BIG = 200

fake = engine.FakeSwarm("--task-delay", "20ms")
system = bulkhead.System(fake.socket)
port = bulkhead.free_ports(1)
number = 0


def change(deadline=bulkhead.SOON, index=None):
    """A new name of the service, served by every proxy, or by one."""
    global number
    number += 1
    host = "n%d.example" % number
    fake.set_label("web", "com.docker.lb.hosts", "web.example," + host)
    if index is None:
        system.wait_served("blue", host, deadline=deadline)
    else:
        procs.wait_for(lambda: system.get(
            "blue", host, "/", index).status == 200, deadline, host, 0.02)


def load():
    return witness.Load(system, [("blue", "web.example", "web"),
                                 ("green", "green.example", "green")])


def log_has(text):
    with open(system.log, errors="replace") as f:
        return any(text in line for line in f)


def agents(name):
    """pids of a local proxy's keeper and worker, keeper first."""
    found = {}
    for pid in system.agent_pids():
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                words = f.read().decode("latin-1").split("\0")
        except OSError:
            continue
        if "agent" in words and name in words:
            found["--worker" in words] = pid
    return [found[k] for k in sorted(found)]


def knock(data=b""):
    end = socket.create_connection(("127.0.0.1", port), 10)
    if data:
        end.sendall(data)
    return end


@tap.test
def it_stands():
    fake.start()
    fake.create_network("front")
    token = os.path.join(system.folder, "token")
    with open(token, "w", encoding="ascii") as f:
        f.write(TOKEN + "\n")
    os.chmod(token, 0o600)
    system.cluster("blue", replicas=2, text=(
        "[cluster]\ndefault = true\n[control]\nlisten = 127.0.0.1:%d\n"
        "token_file = %s\n" % (port, token)))
    system.cluster("green")
    system.start()
    fake.create_service("web", networks=["front"], replicas=2,
                        labels=lb("web.example"))
    fake.create_service("green", networks=["front"], labels=lb(
        "green.example", service_cluster="green"))
    system.wait_served("blue", "web.example")
    system.wait_served("green", "green.example")
    system.wait_applied("blue")


@tap.test
def a_port_scan_half_open_and_slow_clients_have_no_effect():
    pid, ends = system.cluster_status("blue")["pid"], []
    with load() as clients:
        for _ in range(200):
            knock().close()
        for i in range(HALF):
            ends.append(knock(b"" if i % 2 else b"GET /v1/proxy/config"))
        for _ in range(SLOW):
            ends.append(knock(b"POST /v1/proxy/report HTTP/1.1\r\n"
                              b"Host: x\r\nAuthorization: Bearer %s\r\n"
                              b"Content-Length: 900000\r\n\r\n{"
                              % TOKEN.encode()))
        for junk in (b"\0" * 3000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
                     b"GET / HTTP/1.1\r\n" + b"A: " + b"a" * 100000,
                     b"SSH-2.0-scan\r\n\r\n"):
            try:
                ends.append(knock(junk))
            except OSError:
                pass    # it was told so already
        change()
        for end in ends:
            end.close()
        change()
        clients.check()
    tap.equal(system.cluster_status("blue")["pid"], pid)


@tap.test
def who_has_no_token_is_told_nothing():
    for headers in ({}, {"Authorization": "Bearer " + "0" * 32},
                    {"Authorization": TOKEN}):
        for method, target in (("GET", "/v1/proxy/config?proxy=x&have="),
                               ("GET", "/v1/blob/" + "0" * 64),
                               ("POST", "/v1/proxy/report")):
            answer = httpc.request(
                method, "127.0.0.1:%d" % port, target, headers=headers,
                body="{}" if method == "POST" else None)
            tap.equal(answer.status, 401, "%s %s" % (method, target))


@tap.test
def a_report_of_the_next_version_is_read():
    headers = {"Authorization": "Bearer " + TOKEN}
    known = {p["id"] for p in system.proxies("blue")}
    answer = httpc.request("POST", "127.0.0.1:%d" % port, "/v1/proxy/report",
                           headers=headers, body=json.dumps({
        "version": 1, "cluster": "blue", "proxy": "newer.0", "agent": "99",
        "engine": "nginx/9", "alive": True, "state": "applied",
        "generation": 1, "config": "0" * 64, "applied": 1,
        "applied_config": "0" * 64, "error": None, "path": "structure",
        "reloads": 1, "timing": {"fetched_us": 1, "checked_us": 1,
                                 "live_us": 1, "settled_us": 1,
                                 "of_the_next_version_us": 1},
        "of_the_next_version": {"a": [1, None]}}))
    tap.equal(answer.status, 204, answer.text)
    procs.wait_for(lambda: {p["id"] for p in system.proxies("blue")} ==
                   known | {"newer.0"}, bulkhead.SOON, "it to be counted")


@tap.test
def of_two_agents_one_says_nothing_and_the_other_is_not_held_up():
    stopped = agents("blue.1")
    tap.equal(len(stopped), 2)
    try:
        with load() as clients:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            for _ in range(3):
                change(index=0)
            procs.wait_for(lambda: log_has(
                "proxy blue.1 has not been heard for 30 s"), 180, "an alarm",
                0.2)
            procs.wait_for(lambda: {
                p["id"]: p["alive"] for p in system.proxies("blue")
                if p["id"] != "newer.0"} == {"blue.0": True, "blue.1": False},
                bulkhead.SOON, "one to be alive and one not")
            clients.check()
    finally:
        for pid in stopped:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
    change()


@tap.test
def an_extension_without_memory_ends_alone():
    def pid():
        return system.cluster_status("blue")["pid"]
    old, other = pid(), system.cluster_status("green")["pid"]
    with open("/proc/%d/statm" % old, encoding="ascii") as f:
        size = int(f.read().split()[0]) * resource.getpagesize()
    with load() as clients:
        resource.prlimit(old, resource.RLIMIT_AS, (size, size))
        fake.create_network("big")
        for i in range(BIG):
            fake.create_service("big%d" % i, networks=["big"], replicas=0,
                                labels=lb(",".join(
                                    "%s%d-%d.example" % ("b" * 50, i, j)
                                    for j in range(50))))
        procs.wait_for(lambda: pid() not in (0, old), bulkhead.SOON,
                       "another extension", 0.05)
        system.wait_ready()
        change()
        clients.check()
    tap.equal(system.cluster_status("green")["pid"], other)
    for i in range(BIG):
        fake.remove_service("big%d" % i)


@tap.test
def descriptors_that_run_out_come_back():
    """Of the reader, the extension and an agent's processes, at once."""
    pids = [system.status()["reader"]["pid"],
            system.cluster_status("blue")["pid"]] + agents("blue.0")
    saved = {}
    with load() as clients:
        for pid in pids:
            saved[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE,
                             (4, saved[pid][1]))
        fake.sim("POST", "/events/cut")
        end = knock(b"GET / HTTP/1.1\r\n\r\n")
        fake.set_label("web", "com.docker.lb.hosts", "web.example")
        procs.wait_for(lambda: len(system.services()) >= 2, bulkhead.SOON)
        clients.all[0].wait_count(100)
        end.close()
        for pid, limit in saved.items():
            try:
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
            except ProcessLookupError:
                pass
        change()
        clients.check()


@tap.test
def an_orderly_end_takes_no_longer_than_it_may():
    status = system.process.stop(bulkhead.SOON)
    tap.equal(status, 0)
    system.end_agents()


@tap.test
def a_log_that_nobody_reads_blocks_nothing():
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    system.write_file(system.config, (
        "[docker]\nurl = unix://%s\nwatch = off\n[log]\nlevel = debug\n"
        "[supervisor]\nrun_dir = %s\nclusters_dir = %s\n" % (
            fake.socket, system.run_dir, system.clusters_dir)))
    popen = subprocess.Popen(
        [procs.binary("bulkhead-supervisor"), "-c", system.config],
        stdin=subprocess.DEVNULL, stdout=writing, stderr=writing,
        start_new_session=True)
    # Another description of the same pipe: only ours does not block.
    own = os.open("/proc/self/fd/%d" % writing, os.O_WRONLY | os.O_NONBLOCK)
    os.close(writing)
    try:
        procs.wait_for(lambda: system.status()["ready"], bulkhead.SOON,
                       "the system to be ready")
        for size in (4096, 1):
            try:
                while True:
                    os.write(own, b"x" * size)
            except BlockingIOError:
                pass
        for _ in range(3):
            change()
        old = system.cluster_status("blue")["pid"]
        os.kill(old, signal.SIGKILL)
        procs.wait_for(lambda: system.cluster_status("blue")["pid"]
                       not in (0, old), bulkhead.SOON, "another extension")
        for _ in range(3):
            change()
        popen.send_signal(signal.SIGTERM)
        tap.equal(popen.wait(bulkhead.SOON), 0)
    finally:
        if popen.poll() is None:
            popen.kill()
            popen.wait()
        os.close(own)
        os.close(reading)


try:
    tap.main()
finally:
    system.stop()
    fake.stop()
