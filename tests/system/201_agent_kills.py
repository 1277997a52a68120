#!/usr/bin/env python3
"""Agent: any of its processes killed at any instant, under load."""

import os
import random
import signal
import socket
import threading
import time

import agent
import control
import procs
import tap
import witness

if not os.path.exists("/usr/sbin/nginx"):
    tap.skip_all("no nginx (package nginx-light)")

SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 1 << 30)
RANDOM = random.Random(SEED)
A = agent.Agent()
tap.cleanup(A.remove)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def load(**more):
    return witness.Witness(A.where, rate=200, **more)


def new_worker(old):
    """Waits for the agent's next worker, after 'old' is gone."""
    def find():
        pid = A.worker()
        return pid if pid is not None and pid != old else None
    return procs.wait_for(find, 30, "another worker")


@tap.test
def it_starts():
    tap.note("SEED=%d" % SEED)
    A.start()
    A.apply(control.files("start"))
    # A run of 5 s counts as good: restarts are then immediate.
    with load() as w:
        end = time.monotonic() + 5.5
        procs.wait_for(lambda: time.monotonic() > end, 30, "a good run")
    w.check()


@tap.test
def a_killed_idle_worker_comes_back_and_reloads_nothing():
    reloads, master = A.reloads(), A.master()
    old = procs.wait_for(A.worker, 30, "a worker")
    with load(expect=lambda b: b == "start") as w:
        count = len(A.control.requests)
        kill(old)
        start = time.monotonic()
        new_worker(old)
        procs.wait_for(lambda: len(A.control.requests) > count, 30, "a poll")
        tap.note("polls again after %d ms" % (
            (time.monotonic() - start) * 1000))
        w.wait_count(50)
    w.check()
    tap.equal(A.master(), master)
    tap.equal(A.again()["reloads"], reloads)


@tap.test
def a_worker_killed_at_random_points_of_an_apply_x20():
    with load() as w:
        for number in range(20):
            text = "kill %d" % number
            old = procs.wait_for(A.worker, 30, "a worker")
            config = A.control.set(control.files(text))
            procs.random_moment(RANDOM, 0.06)
            kill(old)
            A.wait_report(state="applied", config=config)
            tap.equal(A.get().text, text)
    w.check()
    tap.equal(len(A.nginx("master")), 1)
    tap.note("%d requests" % w.count)


@tap.test
def a_hung_worker_is_replaced():
    old = procs.wait_for(A.worker, 30, "a worker")
    with load() as w:
        kill(old, signal.SIGSTOP)
        new_worker(old)
        A.apply(control.files("unhung"))
    w.check()


@tap.test
def a_killed_keeper_is_followed_by_one_that_adopts():
    config = A.control.config
    reloads_before = os.stat(A.dir + "/current").st_ino
    master, workers = A.master(), sorted(A.nginx("worker"))
    with load(expect=lambda b: b == "unhung") as w:
        for _ in range(3):
            A.process.kill()
            A.process.wait(30)
            w.wait_count(20)
            A.control.reports.clear()
            A.start()
            report = A.wait_report(applied_config=config, alive=True)
            tap.equal(report["reloads"], 0)
    w.check()
    tap.equal(A.master(), master)
    tap.equal(sorted(A.nginx("worker")), workers)
    tap.equal(os.stat(A.dir + "/current").st_ino, reloads_before)
    tap.contains(A.output(), "master %d adopted" % master)
    # The marker: the new keeper reloads the adopted one.
    A.apply(control.files("adopted"))
    tap.equal(A.get().text, "adopted")
    tap.equal(A.master(), master)


@tap.test
def a_killed_master_costs_no_request():
    for number in range(5):
        master, old = A.master(), set(A.nginx("worker"))
        with load() as w:
            w.wait_count(20)
            start = time.monotonic()
            kill(master)
            procs.wait_for(lambda: A.master() not in (None, master), 30,
                           "another master")
            # Those without a master finish, the new ones serve.
            procs.wait_for(lambda: not (old & set(A.nginx("worker"))), 30,
                           "the old workers to go")
            tap.note("a new master alone after %d ms" % (
                (time.monotonic() - start) * 1000))
            A.apply(control.files("master %d" % number))
            tap.equal(A.get().text, "master %d" % number)
        w.check()


@tap.test
def a_master_that_does_not_reload_leaves_the_last_configuration_in_force():
    A.apply(control.files("in force"))
    master = A.master()
    with load(expect=lambda body: body in ("in force", "in the end")) as w:
        kill(master, signal.SIGSTOP)
        try:
            config = A.control.set(control.files("in the end"))
            report = A.wait_report(state="failed", config=config)
            w.wait_count(20)
            tap.equal(A.get().text, "in force")
        finally:
            kill(master, signal.SIGCONT)
        tap.ok(report["error"], report)
        tap.ok(report["applied_config"] != config, report)
        # Tried again by itself, by a nginx that goes on.
        A.wait_report(state="applied", config=config)
        tap.equal(A.get().text, "in the end")
        tap.equal(A.master(), master)
    w.check()
    # As those that follow expect it.
    A.apply(control.files("master 4"))


@tap.test
def nginx_killed_whole_is_back_at_once_with_the_last_configuration():
    gap = []
    with load() as w:
        for _ in range(3):
            w.wait_count(20)
            for pid in A.nginx():
                kill(pid)
            start = time.monotonic()
            tap.equal(A.get(timeout=20).text, "master 4")
            gap.append(int((time.monotonic() - start) * 1000))
            procs.wait_for(A.master, 30, "a master")
    # Only what was being answered may have been lost; new connections wait
    # in the keeper's sockets.
    tap.ok(all("refused" not in f.error for f in w.failures),
           w.failures[:9])
    tap.ok(len(w.failures) <= 3 * 4, w.failures[:9])
    tap.note("answers again after %r ms, %d of %d requests lost" % (
        gap, len(w.failures), w.count))


@tap.test
def keeper_and_master_killed_together_leave_workers_that_serve():
    master = A.master()
    with load(expect=lambda b: b == "master 4") as w:
        A.process.kill()
        kill(master)
        A.process.wait(30)
        w.wait_count(30)
        old = set(A.nginx("worker"))
        A.start()
        procs.wait_for(lambda: A.master() not in (None, master), 30,
                       "another master")
        procs.wait_for(lambda: not (old & set(A.nginx("worker"))), 30,
                       "the old workers to go")
        w.wait_count(30)
    w.check()
    A.apply(control.files("both"))


@tap.test
def keeper_killed_during_applies_x10():
    with load() as w:
        for number in range(10):
            text = "keeper %d" % number
            config = A.control.set(control.files(text))
            procs.random_moment(RANDOM, 0.08)
            A.process.kill()
            A.process.wait(30)
            A.control.reports.clear()
            A.start()
            A.wait_report(applied_config=config)
            tap.equal(A.get().text, text)
    w.check()
    tap.equal(len(A.nginx("master")), 1)


@tap.test
def masters_killed_during_applies_x10():
    with load() as w:
        for number in range(10):
            text = "mixed %d" % number
            config = A.control.set(control.files(text))
            procs.random_moment(RANDOM, 0.08)
            kill(procs.wait_for(A.master, 30, "a master"))
            A.wait_report(applied_config=config)
            tap.equal(A.get().text, text)
    w.check()
    procs.wait_for(lambda: len(A.nginx("master")) == 1, 30, "one master")


@tap.test
def old_workers_with_long_requests_are_not_cut_short():
    """Ten reloads under open downloads: the ninth and tenth are gathered."""
    tree = {"nginx.conf": control.BASE, "sites/default.conf": (
        "server {\n\tinclude agent/default_http.conf;\n"
        "\tlocation / {\n\t\treturn 200 %s;\n\t}\n"
        "\tlocation /slow {\n\t\tlimit_rate 50;\n"
        "\t\treturn 200 " + "y" * 4000 + ";\n\t}\n}\n")}

    def offer(number):
        return dict(tree, **{"sites/default.conf":
                             tree["sites/default.conf"] % ("g%d" % number)})

    peers = []
    A.apply(offer(0))
    for number in range(1, 9):
        peer = socket.create_connection(("127.0.0.1", A.port), 10)
        peer.sendall(b"GET /slow HTTP/1.0\r\n\r\n")
        tap.contains(peer.recv(4096), b"200")
        peers.append(peer)
        A.apply(offer(number))
    tap.ok(len(A.nginx("leaving")) >= 8, A.nginx("leaving"))
    start = time.monotonic()
    A.control.set(offer(9))
    A.apply(offer(10))
    waited = time.monotonic() - start
    tap.ok(waited > 3, waited)
    tap.equal(A.get().text, "g10")
    # The eighth has no download and ends at once.
    procs.wait_for(lambda: len(A.nginx("leaving")) == 8, 30,
                   "those with downloads alone to be left")
    for peer in peers:
        peer.settimeout(20)
        tap.ok(peer.recv(4096), "a download was cut")
        peer.close()
    procs.wait_for(lambda: not A.nginx("leaving"), 60, "old workers to end")
    tap.note("gathered for %.1f s" % waited)


@tap.test
def a_blocked_output_does_not_block_nginx():
    """Nobody reads what the agent prints: a pipe that is full."""
    other = agent.Agent()
    read_end, write_end = os.pipe()
    other.runs += 1
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(write_end, 1)
        os.dup2(write_end, 2)
        argv = other.argv()
        os.execv(argv[0], argv)
    os.close(write_end)
    try:
        tree = control.files("loud")
        tree["nginx.conf"] = control.BASE.replace(
            "access_log off", "access_log /dev/stdout")
        config = other.control.set(tree)
        # Not its first answer: until then a worker from before may accept.
        other.wait_report(state="applied", applied_config=config)
        other.wait_body("loud")
        with witness.Witness(other.where, rate=2000, threads=4,
                             target="/" + "z" * 4000) as w:
            w.wait_count(1500, 120)
        w.check()
        with open("/proc/%d/stat" % pid) as file:
            tap.ok(file.read().rsplit(")", 1)[1].split()[0] != "D")
        # Reading again, lines come again.
        got = []
        reader = threading.Thread(
            target=lambda: got.append(drain(read_end)), daemon=True)
        reader.start()
        other.apply(control.files("quiet"))
    finally:
        os.kill(pid, signal.SIGINT)
        procs.wait_for(lambda: os.waitpid(pid, os.WNOHANG)[0], 30,
                       "the agent to end")
        reader.join(10)
        other.remove()
    tap.contains(b"".join(got), b"dropped")
    tap.contains(b"".join(got), b"applied")


def drain(fd):
    data = b""
    while True:
        piece = os.read(fd, 65536)
        if not piece:
            return data
        data += piece


@tap.test
def the_log_shows_no_trouble():
    agent.check_log("\n".join(
        line for line in A.output().splitlines()
        # nginx's words on a process that the test killed.
        if "exited on signal 9" not in line))


tap.main()
