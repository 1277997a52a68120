#!/usr/bin/env python3
"""Agents of one group help each other while the control plane is away."""

import os
import shutil
import socket
import subprocess
import threading

import agent
import control
import procs
import tap

if not os.path.exists("/usr/sbin/nginx"):
    tap.skip_all("no nginx (package nginx-light)")

TMP = procs.TempDir("bulkhead-peers-")
tap.cleanup(TMP.remove)
EPOCH = "0123456789abcdef" * 2
CONTROL = control.Control(port=agent.free_port())
CONTROL.epoch = EPOCH
tap.cleanup(CONTROL.stop)
PORTS = [agent.free_port() for _ in range(3)]
MEMBERS = []


def write(name, text):
    path = TMP.join(name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o644)
    return path


TOKEN = write("token", "right\n")
WRONG = write("wrong", "wrong\n")


def peers(ports):
    return ",".join("127.0.0.1:%d" % port for port in ports)


def member(ports, listen=None, token=TOKEN, server=CONTROL, more=()):
    args = ["--token-file", token, "--peers", peers(ports)] + list(more)
    if listen:
        args += ["--peer-listen", "127.0.0.1:%d" % listen]
    a = agent.Agent(server=server, args=args)
    tap.cleanup(a.remove)
    return a


@tap.test
def wrong_words_are_refused():
    base = agent.Agent()
    for more, words in (
            (["--peers", "127.0.0.1:1"], "need --token-file"),
            (["--token-file", TOKEN, "--peers", "nobody"], "--peers"),
            (["--token-file", TOKEN, "--peers", "a:0"], "--peers"),
            (["--token-file", TOKEN, "--peer-listen", "0.0.0.0:80"],
             "--peer-listen"),
            (["--token-file", TOKEN, "--peer-listen", "name:80"],
             "--peer-listen")):
        answer = subprocess.run(base.argv() + more, capture_output=True,
                                text=True, check=False, timeout=30)
        tap.equal(answer.returncode, 2, repr(more))
        tap.contains(answer.stderr, words)
    base.remove()


@tap.test
def a_group_of_two_serves():
    for i in range(2):
        a = member([p for p in PORTS if p != PORTS[i]], listen=PORTS[i])
        MEMBERS.append(a.start())
    config = CONTROL.set(control.files("one"))
    for a in MEMBERS:
        a.wait_body("one")
        procs.wait_for(lambda a=a: "peers are served" in a.output(), 30,
                       "the peers' listener")
    procs.wait_for(lambda: len({r["proxy"] for r in CONTROL.reports
                                if r["applied_config"] == config}) >= 1, 30)


@tap.test
def a_fresh_one_starts_while_the_control_plane_is_away():
    CONTROL.stop()
    a = member(PORTS).start()
    MEMBERS.append(a)
    a.wait_body("one")
    procs.wait_for(lambda: "comes from peer" in a.output(), 30, "its words")


@tap.test
def by_another_address_form_too():
    a = member(PORTS, more=["--peer-listen",
                            "127.0.0.0/8:%d" % PORTS[2]]).start()
    a.wait_body("one")
    # ... and it serves others: the first two are left out here.
    b = member([PORTS[2]], more=["--peer-listen", "control:%d" %
                                 agent.free_port()]).start()
    b.wait_body("one")
    a.remove()
    b.remove()


@tap.test
def who_has_not_the_token_gets_nothing():
    a = member(PORTS, token=WRONG).start()
    procs.wait_for(lambda: "is not accepted" in a.output(), 30, "the refusal")
    tap.equal(a.get().status, 503)
    answer = agent.httpc.get("127.0.0.1:%d" % PORTS[0], "/v1/proxy/config")
    tap.equal(answer.status, 401)
    a.remove()


@tap.test
def another_cluster_takes_nothing():
    a = member(PORTS)
    argv = a.argv()
    argv[argv.index("--cluster") + 1] = "other"
    a.argv = lambda: argv
    a.start()
    procs.wait_for(lambda: "of another cluster" in a.output(), 30, "a refusal")
    tap.equal(a.get().status, 503)
    a.remove()


class Noise:
    """A peer that answers noise, then nothing at all."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.met = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                link, _ = self.server.accept()
            except OSError:
                return
            self.met += 1
            if self.met % 2:
                link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
                             b"\x00{garbage")
            else:
                threading.Timer(20, link.close).start()


@tap.test
def garbage_dead_and_lying_peers_harm_nobody():
    noise = Noise()
    lying = control.Control()
    lying.epoch = EPOCH
    lying.generation = 1000
    lying.set(control.files("a lie"))
    lying.corrupt = {"sites/default.conf"}
    a = member([noise.port, agent.free_port(), lying.port, PORTS[0]]).start()
    a.wait_body("one", 30)
    procs.wait_for(lambda: noise.met > 0, 30, "the noise to be met")
    procs.wait_for(lambda: "blob of sites/default.conf" in a.output(), 30,
                   "the lie to be told of")
    lying.stop()
    noise.server.close()
    a.remove()


@tap.test
def only_a_newer_one_of_the_same_epoch_is_taken():
    older, other, newer = (control.Control() for _ in range(3))
    older.epoch = newer.epoch = EPOCH
    other.epoch = "f" * 32
    older.set(control.files("older"))
    other.generation = 500
    other.set(control.files("of another epoch"))
    a = member([older.port, other.port], server=CONTROL,
               more=["--peer-listen", "127.0.0.1:%d" % agent.free_port()])
    CONTROL.start()
    CONTROL.set(control.files("two"))
    a.start()
    for each in MEMBERS + [a]:
        each.wait_body("two")
    # (stopped, it would go on with 204 on connections that are open)
    CONTROL.refuse = 503
    procs.wait_for(lambda: len(older.requests) > 1 and
                   len(other.requests) > 1, 60, "two rounds")
    tap.equal(a.get().text, "two")
    # The marker: its neighbour's newer one is taken.
    older.generation = 700
    older.set(control.files("newer"))
    a.wait_body("newer", 60)
    # And the control plane's word is the last, whatever the numbers.
    CONTROL.refuse = None
    a.wait_body("two", 60)
    for each in (older, other, newer):
        each.stop()
    a.remove()


@tap.test
def certificates_do_what_a_token_does():
    if shutil.which("openssl") is None:
        tap.skip("no openssl")
    made = TMP.join("pki")
    os.mkdir(made)

    def openssl(*args):
        subprocess.run(("openssl",) + args, cwd=made, check=True,
                       capture_output=True, timeout=60)
    for name in ("ca", "ca2"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key",
                "-out", name + ".pem", "-subj", "/CN=" + name, "-days", "2")
        openssl("req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                name + "-a.key", "-out", name + "-a.csr", "-subj", "/CN=agent")
        openssl("x509", "-req", "-in", name + "-a.csr", "-CA", name + ".pem",
                "-CAkey", name + ".key", "-CAcreateserial", "-days", "2",
                "-out", name + "-a.pem")
    for name in os.listdir(made):
        os.chmod(os.path.join(made, name), 0o644)

    def tls(name):
        return ["--tls-ca", os.path.join(made, name + ".pem"),
                "--tls-cert", os.path.join(made, name + "-a.pem"),
                "--tls-key", os.path.join(made, name + "-a.key")]
    port = agent.free_port()
    first = agent.Agent(args=tls("ca") + ["--peer-listen",
                                          "127.0.0.1:%d" % port])
    second = agent.Agent(server=CONTROL, args=tls("ca") +
                         ["--peers", peers([port])])
    stranger = agent.Agent(server=CONTROL, args=tls("ca2") +
                           ["--peers", peers([port])])
    for each in (first, second, stranger):
        tap.cleanup(each.remove)
    CONTROL.stop()
    first.start()
    first.apply(control.files("by certificate"))
    second.start()
    stranger.start()
    second.wait_body("by certificate")
    procs.wait_for(lambda: "peer https" in stranger.output(), 30, "a refusal")
    tap.equal(stranger.get().status, 503)


@tap.test
def nothing_was_wrong_in_the_logs():
    for a in MEMBERS:
        agent.check_log(a.output())


tap.main()
