#!/usr/bin/env python3
"""Agent: a disk that is full, read-only or damaged; other rights; upgrades."""

import os
import pwd
import signal
import subprocess
import time

import agent
import control
import procs
import tap
import witness

if not os.path.exists("/usr/sbin/nginx"):
    tap.skip_all("no nginx (package nginx-light)")

LOGS = []
COMMENT = "\t# " + "z" * 1000 + "\n"


def root_only():
    if os.geteuid() != 0:
        tap.skip("not root")


class Mount:
    """A small tmpfs to fill up."""

    def __init__(self, path, size="2m"):
        self.path = path
        os.makedirs(path, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", path],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            tap.skip("cannot mount: " + done.stderr.strip())

    def remount(self, how):
        subprocess.run(["mount", "-o", "remount," + how, self.path],
                       check=True)

    def fill(self, name="filler"):
        with open(os.path.join(self.path, name), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def remove(self):
        subprocess.run(["umount", "-l", self.path], check=False)


def finish(a):
    LOGS.append(a.output())
    a.remove()


@tap.test
def a_full_disk_changes_nothing_and_is_told_and_mended():
    root_only()
    a = agent.Agent()
    mount = Mount(a.dir)
    try:
        a.start()
        a.apply(control.files("before"))
        mount.fill()
        with witness.Witness(a.where, expect=lambda b: b == "before") as w:
            config = a.control.set(control.files(
                "full", COMMENT * 9))
            report = a.wait_report(state="failed", config=config)
            tap.contains(report["error"], "No space left")
            tap.ok(report["applied_config"] != config)
            w.wait_count(50)
            # A worker that starts now finds the old one whole.
            os.kill(procs.wait_for(a.worker, 30, "a worker"),
                    signal.SIGKILL)
            w.wait_count(50)
        w.check()
        os.unlink(a.dir + "/filler")
        a.wait_report(state="applied", config=config)
        tap.equal(a.get().text, "full")
    finally:
        finish(a)
        mount.remove()
        a.tmp.remove()


@tap.test
def every_amount_of_room_leaves_a_sound_folder():
    """The disk fills up at every step of an apply, not only at the first."""
    root_only()
    a = agent.Agent()
    mount = Mount(a.dir, "512k")
    more = COMMENT * 20
    try:
        a.start()
        a.apply(control.files("room 0", more))
        with witness.Witness(a.where, rate=50) as w:
            for round_number, pages in enumerate(range(0, 16, 2), 1):
                mount.fill()
                with open(a.dir + "/filler", "r+b") as file:
                    size = os.fstat(file.fileno()).st_size
                    file.truncate(max(0, size - pages * 4096))
                text = "room %d" % round_number
                count = len(a.control.reports)
                a.control.set(control.files(text, more + "\t# %d\n" %
                                            round_number))
                procs.wait_for(
                    lambda: len(a.control.reports) > count, 30, "a report")
                os.kill(procs.wait_for(a.worker, 30, "a worker"),
                        signal.SIGKILL)
                os.unlink(a.dir + "/filler")
                a.wait_report(state="applied", config=a.control.config)
                tap.equal(a.get().text, text)
        w.check()
    finally:
        finish(a)
        mount.remove()
        a.tmp.remove()


@tap.test
def a_read_only_folder_changes_nothing_and_is_told_and_mended():
    root_only()
    a = agent.Agent()
    mount = Mount(a.dir)
    try:
        a.start()
        a.apply(control.files("before"))
        mount.remount("ro")
        with witness.Witness(a.where, expect=lambda b: b == "before") as w:
            config = a.control.set(control.files("never"))
            report = a.wait_report(state="failed", config=config)
            tap.contains(report["error"], "Read-only file system")
            os.kill(procs.wait_for(a.worker, 30, "a worker"),
                    signal.SIGKILL)
            w.wait_count(50)
        w.check()
        mount.remount("rw")
        a.wait_report(state="applied", config=config)
        tap.equal(a.get().text, "never")
    finally:
        finish(a)
        mount.remove()
        a.tmp.remove()


@tap.test
def a_folder_that_cannot_be_made_is_named():
    a = agent.Agent(folder="/proc/no/such")
    try:
        a.start()
        tap.equal(a.process.wait(20), 1)
        tap.contains(a.output(), "/proc/no")
    finally:
        finish(a)


def damage(path):
    with open(path, "r+b") as file:
        file.truncate(os.fstat(file.fileno()).st_size // 2)


@tap.test
def a_damaged_generation_gives_way_to_the_one_before_it():
    a = agent.Agent()
    try:
        a.start()
        a.apply(control.files("older"))
        a.apply(control.files("newer"))
        a.process.kill(signal.SIGINT)
        tap.equal(a.process.wait(30), 0)
        damage(a.dir + "/current/sites/default.conf")
        a.control.refuse = 503
        a.start()
        a.wait_body("older")
        a.control.refuse = None
        # And the extension brings the right one back.
        a.wait_body("newer")
        a.wait_report(state="applied", config=a.control.config)
    finally:
        finish(a)


@tap.test
def without_a_control_server_the_last_configuration_serves_after_a_restart():
    a = agent.Agent()
    try:
        a.start()
        a.apply(control.files("kept"))
        a.process.kill(signal.SIGINT)
        tap.equal(a.process.wait(30), 0)
        a.control.stop()
        # What a killed machine leaves behind.
        open(a.dir + "/internal.sock", "w").close()
        open(a.dir + "/tls.sock", "w").close()
        with open(a.dir + "/nginx.pid", "w") as file:
            file.write("%d\n" % os.getpid())
        os.makedirs(a.dir + "/tmp/99/sites")
        a.start()
        a.wait_body("kept")
        procs.wait_for(lambda: a.get(port=a.health).status == 200, 30,
                       "health to say so")
    finally:
        finish(a)


@tap.test
def other_addresses_at_a_restart_are_served_without_a_new_master():
    """As when published_port changes while the agent is down."""
    a = agent.Agent()
    try:
        a.start()
        a.apply(control.files("moved"))
        master, old = a.master(), a.where
        a.process.kill()
        a.process.wait(30)
        a.port = agent.free_port()
        a.start()
        a.wait_body("moved")
        tap.equal(a.master(), master)

        def closed():
            with_old = witness.Witness(old)
            return with_old._ask(with_old._connect()).status == 0
        procs.wait_for(closed, 30, "the old address to close")
        # The keeper has the new socket now: a killed master costs nothing.
        a.apply(control.files("moved 2"))
        with witness.Witness(a.where, rate=200) as w:
            os.kill(master, signal.SIGKILL)
            procs.wait_for(lambda: a.master() not in (None, master), 30,
                           "another master")
            w.wait_count(50)
        w.check()
    finally:
        finish(a)


@tap.test
def with_user_nothing_runs_as_root():
    root_only()
    if not procs.is_open(os.path.abspath(procs.binary("proxyctl"))):
        tap.skip("nobody cannot reach the programs")
    a = agent.Agent(user="nobody")
    uid = pwd.getpwnam("nobody").pw_uid
    os.chmod(a.tmp.path, 0o755)
    # A port that only root can bind.
    a.port = 997
    try:
        a.start()
        tree = control.files("modest")
        tree["nginx.conf"] = control.BASE.replace(
            "access_log off", "access_log /dev/stdout")
        a.apply(tree)
        tap.equal(a.get().text, "modest")
        pids = a.nginx() + [a.process.pid, procs.wait_for(
            a.worker, 30, "a worker")]
        tap.ok(len(pids) >= 4, pids)
        for pid in pids:
            status = open("/proc/%d/status" % pid).read()
            for line in status.splitlines():
                if line.startswith("Uid:"):
                    tap.equal(set(line.split()[1:]), {str(uid)}, line)
                if line.startswith("NoNewPrivs:"):
                    tap.equal(line.split()[1], "1")
        with witness.Witness(a.where, rate=100) as w:
            master = a.master()
            os.kill(master, signal.SIGKILL)
            procs.wait_for(lambda: a.master() not in (None, master), 30,
                           "another master")
            a.process.kill()
            a.process.wait(30)
            a.start()
            a.apply(control.files("modest 2"))
            master = a.master()
            os.kill(master, signal.SIGKILL)
            procs.wait_for(lambda: a.master() not in (None, master), 30,
                           "another master")
            w.wait_count(20)
        w.check()
        procs.wait_for(lambda: '"GET / HTTP/1.1" 200' in a.output(), 30,
                       "the access log")
    finally:
        finish(a)


@tap.test
def a_configuration_that_nginx_cannot_start_with_any_more_gives_way():
    """Its certificate is gone: the earlier one serves, then the new one."""
    a = agent.Agent()
    cert, key = a.tmp.join("cert"), a.tmp.join("key")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=a.example", "-keyout", key, "-out", cert],
        capture_output=True, check=False)
    if made.returncode != 0:
        a.remove()
        tap.skip("no openssl")
    tree = control.files("with tls")
    tree["sites/tls.conf"] = (
        "server {\n\tinclude agent/default_https.conf;\n"
        "\tssl_certificate %s;\n\tssl_certificate_key %s;\n"
        "\treturn 200 x;\n}\n" % (cert, key))
    try:
        a.start()
        a.apply(control.files("no tls"))
        a.apply(tree, https="ssl default_server")
        os.unlink(cert)
        a.process.kill(signal.SIGINT)
        tap.equal(a.process.wait(30), 0)
        a.control.reports.clear()
        start = time.monotonic()
        a.start()
        a.wait_body("no tls")
        tap.note("the earlier one serves after %.1f s" % (
            time.monotonic() - start))
        report = a.wait_report(state="refused", config=a.control.config)
        tap.contains(report["error"], cert)
        a.apply(control.files("mended"))
        tap.equal(a.get().text, "mended")
    finally:
        finish(a)


@tap.test
def a_token_file_that_is_not_there_yet_is_waited_for():
    a = agent.Agent(args=["--token-file", "/nonexistent"])
    token = a.tmp.join("token")
    a.args = ["--token-file", token]
    try:
        a.control.set(control.files("with token"))
        a.start()
        procs.wait_for(lambda: "token" in a.output(), 20, "the reason")
        with open(token, "w") as file:
            file.write("secret\n")
        a.wait_body("with token")
    finally:
        finish(a)


@tap.test
def the_logs_show_no_trouble():
    for text in LOGS:
        agent.check_log("\n".join(
            line for line in text.splitlines()
            # What the tests did to nginx: a full disk, a killed process.
            if "No space" not in line and "Read-only" not in line
            and "exited on signal 9" not in line))


tap.main()
