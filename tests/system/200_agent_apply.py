#!/usr/bin/env python3
"""Agent: a configuration from the control server into force, or not."""

import json
import os
import signal
import socket
import subprocess
import time

import agent
import control
import httpc
import procs
import tap
import witness

if not os.path.exists("/usr/sbin/nginx"):
    tap.skip_all("no nginx (package nginx-light)")

A = agent.Agent()
tap.cleanup(A.remove)
BAD_SITE = "server {\n\tno_such_directive on;\n}\n"


def wait_poll(words):
    """What is asked next has them: it comes after the report."""
    procs.wait_for(lambda: words in A.control.requests[-1], 30,
                   "a poll with " + words)


def proxyctl(*args):
    return subprocess.run([procs.binary("proxyctl"), "agent"] + list(args),
                          capture_output=True, text=True, check=False,
                          timeout=30)


@tap.test
def usage_errors_are_one_line_and_exit_2():
    required = ["--cluster", "c", "--id", "i", "--dir", "/tmp/x",
                "--control", "unix:/x", "--listen", "127.0.0.1:1"]
    for args, words in (
            ([], "--cluster is missing"),
            (required[:-2], "--listen is missing"),
            (required + ["--no-such"], "--no-such"),
            (required + ["--id", "a;b"], "--id"),
            (required + ["--dir", "rel"], "--dir"),
            (required + ["--listen", "localhost:80"], "--listen"),
            (required + ["--listen", "127.0.0.1:70000"], "--listen"),
            (required + ["--listen-ssl", "127.0.0.1:1"], "twice"),
            (required + ["--engine", "iis"], "--engine"),
            (required + ["--drain-delay", "soon"], "--drain-delay"),
            (required + ["--log-level", "loud"], "--log-level"),
            (required + ["more"], "more")):
        answer = proxyctl(*args)
        tap.equal(answer.returncode, 2, repr(args))
        tap.contains(answer.stderr, words)
    tap.equal(proxyctl("--help").returncode, 0)
    tap.contains(proxyctl("--help").stdout, "--drain-delay")


@tap.test
def what_no_retry_can_mend_exits_78():
    tmp = procs.TempDir()
    required = ["--cluster", "c", "--id", "i", "--dir", tmp.join("d"),
                "--control", "unix:/x", "--listen", "127.0.0.1:24990"]
    try:
        for more, words in ((["--nginx", "/no/nginx"], "/no/nginx"),
                            (["--user", "nobody-here"], "nobody-here")):
            answer = proxyctl(*(required + more))
            tap.equal(answer.returncode, 78, repr(more))
            tap.contains(answer.stderr, words)
    finally:
        tmp.remove()


@tap.test
def a_port_in_use_is_named_in_one_line():
    other = agent.Agent()
    with socket.create_server(("127.0.0.1", other.port)):
        other.start()
        tap.equal(other.process.wait(20), 1)
    lines = [line for line in other.output().splitlines() if "error" in line]
    tap.equal(len(lines), 1, other.output())
    tap.contains(lines[0], "127.0.0.1:%d" % other.port)
    tap.contains(lines[0], "another program")
    other.remove()


@tap.test
def before_the_first_configuration_everything_is_503():
    A.start()
    procs.wait_for(lambda: A.get().status == 503, 30, "the built-in 503")
    tap.equal(A.get("/any/path?x=1").headers["retry-after"], "2")
    tap.equal(A.get(port=A.health).status, 503)
    report = A.wait_report(alive=True)
    tap.equal((report["applied"], report["applied_config"]), (0, ""))


@tap.test
def healthz_says_no_while_a_worker_of_the_built_in_503_may_accept():
    old = A.nginx("worker")
    for pid in old:
        os.kill(pid, signal.SIGSTOP)
    try:
        A.control.set(control.files("zero"))
        A.wait_body("zero")
        answer = A.get(port=A.health)
        tap.equal((answer.status, answer.text), (503, "starting\n"))
    finally:
        for pid in old:
            os.kill(pid, signal.SIGCONT)
    A.wait_report(state="applied", config=A.control.config)
    tap.equal(A.get(port=A.health).status, 200)


@tap.test
def the_first_configuration_is_applied():
    report = A.apply(control.files("one"))
    tap.equal(A.get().text, "one")
    tap.equal(A.get(port=A.health).status, 200)
    tap.equal(report["generation"], 2)
    tap.equal(report["applied_config"], A.control.config)
    tap.ok(report["engine"].startswith("nginx/"), report["engine"])
    timing = report["timing"]
    tap.ok(0 < timing["fetched_us"] < timing["checked_us"]
           < timing["live_us"] <= timing["settled_us"], timing)


@tap.test
def after_applied_no_new_connection_meets_the_old_configuration():
    old = set(A.nginx("worker"))
    with witness.Witness(A.where, rate=400) as load:
        for round_number in range(8):
            text = "round %d" % round_number
            A.apply(control.files(text))
            for _ in range(25):
                tap.equal(A.get().text, text)
    load.check()
    tap.equal(old & set(A.nginx("worker")), set())
    tap.note("%d requests of the witness" % load.count)


@tap.test
def equal_bytes_reload_nothing():
    before, master = A.reloads(), A.master()
    for _ in range(3):
        A.again()
    tap.equal(A.reloads(), before)
    tap.equal(A.master(), master)
    # The marker: a real change is one reload.
    A.apply(control.files("marker"))
    tap.equal(A.reloads(), before + 1)


@tap.test
def a_refused_configuration_changes_nothing_and_says_why():
    reloads = A.reloads()
    tree = control.files("never")
    tree["sites/bad.conf"] = BAD_SITE
    with witness.Witness(A.where, expect=lambda b: b == "marker") as load:
        config = A.control.set(tree)
        report = A.wait_report(state="refused", config=config)
        load.wait_count(20)
    load.check()
    tap.contains(report["error"],
                 'unknown directive "no_such_directive" in '
                 'sites/bad.conf:2')
    tap.ok(A.dir not in report["error"], report["error"])
    tap.ok(report["applied_config"] != config)
    tap.equal(A.reloads(), reloads)
    # Not asked for again: the next poll names what was refused.
    wait_poll("have=" + config)
    A.apply(control.files("after"))
    tap.equal(A.get().text, "after")
    tap.equal(A.reloads(), reloads + 1)


@tap.test
def a_change_back_to_what_is_in_force_reloads_nothing():
    reloads = A.reloads()
    tree = control.files("after")
    A.control.set(dict(tree, **{"sites/bad.conf": BAD_SITE}))
    A.wait_report(state="refused")
    A.apply(tree)
    tap.equal(A.reloads(), reloads)


@tap.test
def hostile_manifests_are_refused_whole():
    good = json.dumps(A.control.manifest)
    A.control.poll = 0.2  # the agent sees each change soon

    def offer(text):
        with A.control.lock:
            A.control.raw = text
            A.control.config = "1" * 64
            A.control.lock.notify_all()
        start = len(A.control.requests)
        procs.wait_for(lambda: len(A.control.requests) > start + 1, 60,
                       "another poll")

    def path(text):
        return lambda m: m["files"].append(
            {"path": text, "sha256": "2" * 64, "size": 1})

    # The rest of the grammar: tests/unit/agent_manifest_test.c.
    for change in (
            path("../evil"), path("agent/main.conf"),
            lambda m: m["listen"].update(http="x; } evil {"),
            lambda m: m.update(cluster="other")):
        manifest = json.loads(good)
        change(manifest)
        blobs = len([r for r in A.control.requests if "/blob/" in r])
        offer(json.dumps(manifest).encode())
        tap.equal(len([r for r in A.control.requests if "/blob/" in r]),
                  blobs)
    offer(b'{"version":1,')
    tap.equal(A.get().text, "after")
    with A.control.lock:
        A.control.raw = None
        A.control.poll = 25.0
    A.apply(control.files("sane again"), deadline=90)


@tap.test
def a_damaged_blob_is_not_used_and_asked_for_again():
    A.control.corrupt = {"sites/default.conf"}
    config = A.control.set(control.files("damaged"))
    report = A.wait_report(state="failed", config=config)
    tap.contains(report["error"], "sites/default.conf")
    tap.equal(A.get().text, "sane again")
    A.control.corrupt = set()
    A.wait_report(state="applied", config=config)
    tap.equal(A.get().text, "damaged")


@tap.test
def a_slow_server_holds_up_nothing_but_itself():
    A.control.delay = 2.0
    with witness.Witness(A.where, rate=50) as load:
        A.apply(control.files("slowly"), deadline=90)
    A.control.delay = 0.0
    load.check()
    tap.equal(A.get().text, "slowly")


@tap.test
def traffic_goes_on_while_the_control_server_is_away():
    with witness.Witness(A.where, expect=lambda b: b == "slowly") as load:
        A.control.stop()
        load.wait_count(150)
        A.control.start()
        A.control.refuse = 500
        load.wait_count(50)
        A.control.refuse = None
    load.check()
    A.apply(control.files("back"))


@tap.test
def tls_and_status_come_and_go_without_a_new_master():
    master = A.master()
    tmp = procs.TempDir()
    os.chmod(tmp.path, 0o755)
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=a.example", "-keyout", tmp.join("key"), "-out",
         tmp.join("cert")], capture_output=True, check=False)
    if made.returncode != 0:
        tmp.remove()
        tap.skip("no openssl")
    tree = control.files("plain")
    tree["sites/tls.conf"] = (
        "server {\n\tinclude agent/default_https.conf;\n"
        "\tssl_certificate %s;\n\tssl_certificate_key %s;\n"
        "\treturn 200 secret;\n}\n"
        "server {\n\tinclude agent/listen_status.conf;\n"
        "\treturn 200 counters;\n}\n" % (tmp.join("cert"), tmp.join("key")))
    tree["nginx.conf"] = control.BASE + "# agent/listen_status.conf\n"
    try:
        tap.equal(A.get(port=A.status).status, 404)
        for _ in range(2):
            A.apply(tree, https="ssl http2 default_server")
            answer = httpc.get("127.0.0.1:%d" % A.ssl, tls=True)
            tap.equal(answer.text, "secret")
            tap.equal(A.get(port=A.status).text, "counters")
            A.apply(control.files("no tls"))
            try:
                httpc.get("127.0.0.1:%d" % A.ssl, tls=True)
                tap.ok(False, "TLS without a server")
            except OSError as error:
                tap.contains(str(error).lower(), "unrecognized")
    finally:
        tmp.remove()
    tap.equal(A.master(), master)


@tap.test
def only_a_few_generations_and_their_blobs_are_kept():
    for number in range(5):
        A.apply(control.files("keep %d" % number))
    tap.ok(len(os.listdir(os.path.join(A.dir, "gen"))) <= 3)
    # One nginx.conf, three sites.
    tap.ok(len(os.listdir(os.path.join(A.dir, "blobs"))) <= 4)
    # The last one that went, which becomes the next.
    tap.equal(os.listdir(os.path.join(A.dir, "tmp")), ["spare"])


def sites(*names):
    tree = control.files("differs")
    for name in names:
        tree["sites/%s.conf" % name] = (
            "server {\n\tinclude agent/listen_http.conf;\n"
            "\tserver_name %s.example;\n\treturn 200 %s;\n}\n" % (
                name, name))
    return tree


def served(name):
    return httpc.get(A.where, host=name + ".example").text


@tap.test
def what_differs_from_what_is_in_force_is_enough():
    A.apply(sites("one", "two"))
    A.control.deltas = "good"
    try:
        for names in (("one", "two", "three"), ("three",), ("one", "three"),
                      ("one", "two"), ("four", "three", "two", "one")):
            before = len(A.control.requests)
            A.apply(sites(*names))
            for name in ("one", "two", "three", "four"):
                tap.equal(served(name),
                          name if name in names else "differs")
            tap.ok(not any("/v1/blob/" in r
                           for r in A.control.requests[before:]
                           if "four" not in names and "three" not in names))
        config = A.control.config
        with open(os.path.join(A.dir, "manifest.json"),
                  encoding="ascii") as f:
            kept = json.load(f)
        tap.equal(kept["config"], config)
        tap.equal(kept["files"], A.control.manifest["files"])
        tap.ok("base" not in kept and "removed" not in kept)
        wait_poll("&base=" + config)
    finally:
        A.control.deltas = None


@tap.test
def what_differs_and_does_not_make_it_up_is_asked_for_whole():
    A.apply(sites("one", "two"))
    A.control.deltas = "wrong"
    try:
        before = len(A.control.requests)
        A.apply(sites("two", "three"))
    finally:
        A.control.deltas = None
    tap.equal([served(n) for n in ("one", "two", "three")],
              ["differs", "two", "three"])
    polls = [r for r in A.control.requests[before:] if "/config?" in r]
    tap.ok(any("&base=" not in r for r in polls), str(polls))
    A.apply(sites("one"))
    wait_poll("&base=")


@tap.test
def a_thousand_files_are_applied():
    tree = control.files("many")
    for number in range(1000):
        tree["sites/s%04d.conf" % number] = (
            "server {\n\tinclude agent/listen_http.conf;\n"
            "\tserver_name s%d.example;\n\treturn 200 s%d;\n}\n" % (
                number, number))
    tree["nginx.conf"] = control.BASE.replace(
        "\taccess_log", "\tserver_names_hash_max_size 65536;\n\taccess_log")
    with witness.Witness(A.where, rate=50) as load:
        report = A.apply(tree, deadline=120)
    load.check()
    tap.equal(httpc.get(A.where, host="s999.example").text, "s999")
    tap.note("1,000 sites: %r" % report["timing"])
    A.apply(control.files("few"))


@tap.test
def agent_sock_greets_and_proves_life():
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(os.path.join(A.dir, "agent.sock"))
        hello = json.loads(peer.makefile().readline())
    tap.equal((hello["pid"], hello["id"], hello["cluster"]),
              (A.process.pid, "test.0", "test"))
    tap.equal(os.stat(os.path.join(A.dir, "agent.sock")).st_mode & 0o777,
              0o600)


@tap.test
def descriptors_do_not_grow_with_reloads():
    keeper, worker = A.process.descriptors(), A.worker()
    count = len(os.listdir("/proc/%d/fd" % worker))
    for number in range(6):
        A.apply(control.files("fd %d" % number))
    # A connection that has just ended may be one for a moment.
    procs.wait_for(lambda: A.process.descriptors() <= keeper + 1 and len(
        os.listdir("/proc/%d/fd" % worker)) <= count + 1, 30,
        "no more descriptors than before")


@tap.test
def a_second_agent_on_the_same_folder_refuses_to_start():
    other = agent.Agent(folder=A.dir)
    other.start()
    tap.equal(other.process.wait(20), 1)
    tap.contains(other.output(), "another agent runs in this folder")
    other.dir = "/nonexistent"
    other.remove()
    tap.equal(A.get().text, "fd 5")


@tap.test
def drain_serves_on_then_ends_in_order():
    A.apply(control.files("last"), settings={"drain_delay_ms": 3000})
    tap.equal(A.get(port=A.health).status, 200)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(os.path.join(A.dir, "agent.sock"))
        start = time.monotonic()
        peer.sendall(b'{"type":"drain"}\n')
        procs.wait_for(lambda: A.get(port=A.health).status == 503, 30,
                       "health to say 503")
        served = 0
        while time.monotonic() < start + 1.2:
            tap.equal(A.get().text, "last")
            served += 1
        tap.ok(served > 10)
    tap.equal(A.process.wait(30), 0)
    tap.ok(time.monotonic() - start >= 3)
    tap.ok(any(r["draining"] for r in A.control.reports))
    procs.wait_for(lambda: not A.nginx(), 30, "nginx to be gone")


@tap.test
def a_running_download_survives_the_stop():
    A.start()
    tree = control.files("up")
    tree["sites/default.conf"] = (
        "server {\n\tinclude agent/default_http.conf;\n"
        "\tlocation / {\n\t\treturn 200 up;\n\t}\n"
        "\tlocation /big {\n\t\tlimit_rate 1500;\n"
        "\t\treturn 200 \"%s\";\n\t}\n}\n" % ("x" * 3000))
    A.apply(tree, settings={"drain_delay_ms": 100})
    with socket.create_connection(("127.0.0.1", A.port), 10) as peer:
        peer.sendall(b"GET /big HTTP/1.0\r\n\r\n")
        got = peer.recv(4096)
        A.process.kill(15)
        while True:
            data = peer.recv(4096)
            if not data:
                break
            got += data
    tap.ok(got.endswith(b"x" * 3000), len(got))
    tap.equal(A.process.wait(30), 0)


@tap.test
def the_log_shows_no_trouble():
    agent.check_log(A.output())


tap.main()
