#!/usr/bin/env python3
"""While the Docker socket delays, drips, is silent, garbles and cuts, no loop
of reader, supervisor or extension is away from its work for long."""

import re

import bulkhead
import engine
import forward
import httpc
import procs
import tap

SOON = bulkhead.SOON
# Six times the 50 ms that are promised; what a turn waited for a processor is
# not in it (lib/loop/turns.h).
LONGEST = 0.3
SERVICES = 200

folder = procs.TempDir("bh-turns-")
tap.cleanup(folder.remove)
fake = engine.FakeSwarm("--no-serve", "--services", str(SERVICES), "--tasks",
                        "2000", "--clusters", "1", "--task-delay", "0ms")
fake.start()
tap.cleanup(fake.stop)
docker = forward.Forward(fake.socket, folder.join("docker.sock")).start()
tap.cleanup(docker.stop)
system = bulkhead.System(
    docker.where, daemon="resync_interval = 1s\npoll_interval = 1s\n")
system.cluster("c0", driver="none")
tap.cleanup(system.stop)


def turns():
    """The longest turn of each in the last 15 s, as of its last pong."""
    text = httpc.get(system.socket, "/metrics").body.decode()
    return {name: float(value) for name, value in re.findall(
        r'^bulkhead_loop_turn_max_seconds\{child="([^"]*)"\} (\S+)$', text,
        re.MULTILINE)}


def note():
    """Figures pass after some time: the longest of each is kept here."""
    for name, longest in turns().items():
        note.seen[name] = max(longest, note.seen.get(name, 0.0))


note.seen = {}


def changed():
    """A change at the engine itself comes through."""
    changed.count += 1
    host = "turn%d.example" % changed.count
    fake.set_label(changed.name, "com.docker.lb.hosts", host)

    def there():
        note()
        return any(r["host"] == host for r in system.routes("c0"))
    procs.wait_for(there, 2 * SOON, "the route of " + host, 0.05)


changed.count, changed.name = 0, ""


@tap.test
def everything_is_read_and_each_loop_is_measured():
    system.start()
    procs.wait_for(lambda: len(system.services()) == SERVICES, 2 * SOON,
                   "all services", 0.1)
    changed.name = sorted(system.services())[0]
    changed()
    procs.wait_for(lambda: all(
        turns().get(n, 0) > 0 for n in ("supervisor", "reader", "c0")), SOON,
        "a figure of each loop", 0.1)
    tap.note("at the start: %r" % note.seen)
    # What the start took is past.
    procs.wait_for(lambda: max(turns().values()) < LONGEST / 3, 180,
                   "short turns alone", 0.5)
    note.seen.clear()


def spoilt(times=2, **how):
    docker.set(**how)
    docker.drop()
    docker.wait_met(times)
    docker.set("pass")
    docker.drop()
    changed()


MODES = {
    "delayed": {"name": "delay", "seconds": 0.5},
    "dripping": {"name": "trickle", "seconds": 0.01, "times": 200},
    "silent": {"name": "silent"},
    "garbled": {"name": "garble", "only": "/services",
                "spoil": {n: 0x7b for n in range(600, 200000, 700)}},
    "cut": {"name": "cut", "only": "/services", "at": 40000},
    "standing still": {"name": "halt", "only": "/services", "at": 40000},
    "delayed again": {"name": "delay", "seconds": 0.2},
}


@tap.test
def no_loop_is_away_for_long_whatever_the_socket_does():
    for title, how in MODES.items():
        spoilt(**how)
        note()
        tap.note("%s: %r" % (title, note.seen))
    # Each pong brings the figure up to date; a mode takes longer than that.
    for name, longest in note.seen.items():
        tap.ok(longest < LONGEST, "%s was away for %.3f s" % (name, longest))


tap.main()
