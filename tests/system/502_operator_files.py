#!/usr/bin/env python3
"""The operator's own files through the whole system: error pages, fragments,
raw options and log formats; what is wrong with one changes nothing."""

import os
import signal

import bulkhead
import engine
import procs
import tap
from bulkhead import SOON, lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)
FRAGMENTS = os.path.join(system.folder, "fragments")
PAGES = os.path.join(system.folder, "pages")
LOG = os.path.join(system.folder, "access.log")


def write(folder, name, text):
    os.makedirs(folder, exist_ok=True)
    system.write_file(os.path.join(folder, name), text)


def save():
    """The cluster's file, again, as an editor would: the same bytes."""
    system.write_file(system.ini_path("blue"), system.clusters["blue"].ini())


def problems():
    return system.status()["problems"]


def colour(host="web.example"):
    return system.get("blue", host, "/colour").text


def wait_colour(wanted):
    procs.wait_for(lambda: all(colour() == wanted for _ in range(8)), SOON,
                   "colour " + wanted, 0.02)


def paint(name):
    write(FRAGMENTS, "server.conf",
          "location = /colour { return 200 \"%s\"; }\n" % name)


def pid():
    return system.cluster_status("blue")["pid"]


@tap.test
def fragments_raw_options_and_a_log_format_are_in_force():
    wait_colour("red")
    tap.equal(colour("nobody.example"), "red")
    answer = system.get("blue", "web.example")
    tap.equal((answer.status, answer.headers["x-raw"]), (200, "yes"))
    procs.wait_for(lambda: "web.example logged 200" in open(LOG).read(), SOON,
                   "the line in the log")


@tap.test
def a_page_of_the_operators_is_what_a_client_sees():
    answer = system.get("blue", "nobody.example")
    tap.equal((answer.status, answer.text), (503, "our own 503\n"))
    fake.create_service("shut", networks=["front"], labels=lb(
        "shut.example", deny="127.0.0.0/8"))
    system.wait_served("blue", "shut.example", want=403)
    tap.equal(system.get("blue", "shut.example").text, "our own 403\n")
    write(PAGES, "503.html", "another 503\n")
    tap.equal(system.get("blue", "nobody.example").text, "another 503\n")


@tap.test
def a_changed_fragment_is_in_force_once_the_file_is_saved_again():
    paint("green")
    save()
    wait_colour("green")
    paint("blue")
    system.ctl("reload")
    wait_colour("blue")


@tap.test
def a_broken_fragment_changes_nothing_and_is_told_with_its_line():
    before = pid()
    write(FRAGMENTS, "server.conf", "\nlocation = /colour { return 200;\n")
    save()
    told = procs.wait_for(problems, SOON, "the problem to be told")
    tap.contains(told[0], "server.conf:3: a \"{\" is not closed")
    tap.equal(pid(), before)
    tap.equal(colour(), "blue")


@tap.test
def what_was_accepted_survives_an_extension_and_everything():
    before = pid()
    os.kill(before, signal.SIGKILL)
    procs.wait_for(lambda: pid() not in (0, None, before), SOON,
                   "a new extension")
    fake.create_service("later", networks=["front"],
                        labels=lb("later.example"))
    system.wait_served("blue", "later.example")
    tap.equal(colour("later.example"), "blue")
    tap.equal(system.process.stop(30), 0)
    procs.wait_for(lambda: not system.agent_pids(), 30, "agents to end")
    system.start()
    system.wait_served("blue", "later.example")
    tap.contains(procs.wait_for(problems, SOON, "the problem")[0],
                 "server.conf:3:")
    tap.equal(colour(), "blue")
    paint("white")
    save()
    wait_colour("white")
    tap.equal(problems(), [])


@tap.test
def what_only_nginx_can_tell_leaves_the_configuration_before_in_force():
    write(FRAGMENTS, "http.conf", "gzip sometimes;\n")
    save()
    error = procs.wait_for(
        lambda: [p["error"] for p in system.proxies("blue") if p["error"]],
        SOON, "the engine's words")[0]
    tap.contains(error, "gzip")
    tap.equal(colour(), "white")
    os.unlink(os.path.join(FRAGMENTS, "http.conf"))
    paint("black")
    save()
    wait_colour("black")


@tap.test
def without_template_dir_no_fragment_is_left():
    system.cluster("blue", published_port=system.clusters["blue"].port,
                   text=SETTINGS.replace("template_dir", "; template_dir"))
    procs.wait_for(lambda: system.get("blue", "web.example",
                                      "/colour").text != "black", SOON,
                   "the fragment to be gone", 0.02)
    tap.equal(system.get("blue", "web.example").status, 200)
    tap.equal([n for n in os.listdir(os.path.join(
        system.run_dir, "accepted", "clusters.d")) if "fragments" in n], [])


SETTINGS = """[nginx]
template_dir = %s
error_page_dir = %s
access_log = %s
main_log_format = $host logged $status
http_options = map $uri $raw { default yes; }
""" % (FRAGMENTS, PAGES, LOG)
fake.start()
tap.cleanup(fake.stop)
fake.create_network("front")
fake.create_service("web", networks=["front"], labels=lb("web.example"))
paint("red")
write(FRAGMENTS, "location.conf", "add_header x-raw $raw always;\n")
write(PAGES, "503.html", "our own 503\n")
write(PAGES, "403.html", "our own 403\n")
# The workers of an nginx that root starts are nobody.
os.chmod(system.folder, 0o755)
with open(LOG, "w") as empty:
    os.fchmod(empty.fileno(), 0o666)
system.cluster("blue", text=SETTINGS)
tap.cleanup(system.stop)
system.start()
system.wait_served("blue", "web.example")
tap.main()
