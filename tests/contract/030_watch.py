#!/usr/bin/env python3
"""
The simulator's Watch says what the real engine's does: start message, kinds
and order of changes, versions, resuming, and its refusals.
"""

import base64

import beside
import engine
import procs
import tap
import watch

FAKE = engine.FakeSwarm("--log-level", "warn", "--no-serve", push=True)
REAL = engine.RealEngine()
RECORDS = {}
SLOW = 60.0


class Record:
    """What one engine's Watch said."""

    def __init__(self):
        self.facts = {}
        self.sequences = {}


def squeeze(items):
    """Without repetitions next to each other."""
    out = []
    for item in items:
        if not out or out[-1] != item:
            out.append(item)
    return out


def first(events, match):
    return next(i for i, e in enumerate(events) if match(e))


def is_service(action, name="web"):
    return lambda e: (e.kind == "service" and e.action == action
                      and e.name == name)


def is_leaving(e):
    return e.kind == "task" and e.desired == "remove"


def life(record, target, ear):
    """Create, scale, update, remove: what is said of each object."""
    data = base64.b64encode(b"told").decode()
    target.create_network("one")
    for kind in ("secrets", "configs"):
        target.api("POST", "/%s/create" % kind, {"Name": "thing",
                                                 "Data": data})
    target.create_service("web", networks=["one"], replicas=2)
    target.wait_running("web", 2, SLOW)
    ear.wait_event(lambda e: e.kind == "task" and e.state == "running", SLOW)
    target.scale("web", 1)
    ear.wait_event(lambda e: e.kind == "task" and e.action == "remove", SLOW,
                   "removal of a task")
    kept = target.wait_running("web", 1, SLOW)[0]["ID"]
    target.update_service("web", lambda s: s["TaskTemplate"].update(
        ForceUpdate=1))
    ear.wait_event(lambda e: e.kind == "task" and e.id == kept and
                   e.state == "shutdown", SLOW, "end of the old task")
    new = procs.wait_for(lambda: [
        t for t in target.running("web") if t["ID"] != kept], SLOW,
        "the new task", 0.1)[0]
    ear.wait_event(lambda e: e.id == new["ID"] and e.state == "running", SLOW)
    record.facts["version as in the API"] = max(
        e.version for e in ear.events() if e.id == new["ID"]) == target.get(
            "/tasks/" + new["ID"])["Version"]["Index"]
    target.remove_service("web")
    ear.wait_event(lambda e: e.kind == "task" and e.id == new["ID"] and
                   e.action == "remove", SLOW, "removal of the last task")
    for path in ("/networks/one", "/secrets/thing", "/configs/thing"):
        procs.wait_for(lambda p=path: target.api("DELETE", p).status in (
            200, 204), SLOW, "removal of " + path, 0.1)
    ear.wait_event(lambda e: e.kind == "config" and e.action == "remove")


def tell_sequences(record, events):
    for kind in ("network", "secret", "config", "service"):
        record.sequences[kind] = squeeze(
            e.action for e in events if e.kind == kind and
            e.name in ("one", "thing", "web"))
    tasks = []
    for e in events:
        if e.kind == "task" and e.id not in tasks:
            tasks.append(e.id)
    record.facts["tasks"] = len(tasks)
    for number, task in enumerate(tasks):
        mine = [e for e in events if e.id == task]
        name = "task %d " % number
        record.sequences[name + "actions"] = squeeze(e.action for e in mine)
        record.sequences[name + "desired"] = squeeze(e.desired for e in mine)
        # The agent leaves out what it passes between two reports.
        record.sequences[name + "milestones"] = squeeze(
            e.state for e in mine if e.state in (
                "new", "pending", "assigned", "running", "shutdown"))
        record.facts[name + "asked to go while it ran"] = any(
            e.state == "running" and e.desired in ("remove", "shutdown")
            for e in mine)
    # Which of two tasks a scale takes away is the orchestrator's choice.
    for part in ("actions", "desired", "milestones"):
        pair = sorted([record.sequences.pop("task 0 " + part),
                       record.sequences.pop("task 1 " + part)])
        record.sequences["first two tasks " + part] = pair


def tell_order(record, events):
    created = first(events, is_service("create"))
    removed = first(events, is_service("remove"))
    record.facts["service, then its tasks"] = created < first(
        events, lambda e: e.kind == "task")
    scaled = [i for i, e in enumerate(events) if is_service("update")(e)
              and i < first(events, is_leaving)]
    record.facts["scaled, then a task is to go"] = bool(scaled)
    record.facts["service removed, then its tasks are to go"] = any(
        is_leaving(e) for e in events[removed:]) and not any(
        is_leaving(e) and e.action == "update"
        for e in events[removed - 3:removed])


def tell_versions(record, messages):
    told = [m.version for m in messages if m.version is not None]
    record.facts["versions grow"] = told == sorted(set(told))
    record.facts["kinds with a version"] = sorted({
        e.kind for m in messages if m.version is not None for e in m.events
        if e.kind in ("network", "secret", "config")})
    record.facts["task batches without one"] = any(
        m.version is None and e.kind == "task"
        for m in messages for e in m.events)
    record.facts["an object's version is below its message's"] = all(
        e.version < m.version for m in messages if m.version is not None
        for e in m.events if e.kind in ("secret", "config"))


def resume(record, target, messages):
    """From a service's version on: the same again."""
    position = next(i for i, m in enumerate(messages) if m.version and any(
        is_service("create")(e) for e in m.events))
    wanted = [(e.kind, e.action, e.id, e.version) for m in messages[
        position + 1:] for e in m.events if e.kind in ("task", "service")]
    kinds = ("task", "service")
    ear = watch.Ear(target.control, messages[position].version, kinds)
    ear.wait(lambda m: len(ear.events()) >= len(wanted), SLOW, "replay")
    got = [(e.kind, e.action, e.id, e.version) for e in ear.events()]
    record.facts["resumed: the same again"] = sorted(
        got[:len(wanted)]) == sorted(wanted)
    record.facts["resumed: an empty start"] = ear.messages[0].size
    record.facts["resumed: versions in all"] = all(
        m.version is not None for m in ear.messages[1:])
    ear.close()


def refusals(record, target):
    for name, version in (("future", 10 ** 6), ("compacted", 12)):
        if name == "compacted":
            compact(target)
        ear = watch.Ear(target.control, version)
        ear.wait_ended()
        record.facts["refused: " + name] = [
            ear.header("grpc-status"), ear.header("grpc-message"),
            ear.header("content-type"), len(ear.messages)]
        ear.close()


def compact(target):
    if target is FAKE:
        FAKE.sim("POST", "/watch/compact")
        return
    swarm = target.get("/swarm")
    swarm["Spec"]["Raft"].update(SnapshotInterval=2,
                                 LogEntriesForSlowFollowers=0)
    target.api("POST", "/swarm/update", swarm["Spec"], query={
        "version": str(swarm["Version"]["Index"])})
    for number in range(12):
        target.create_network("n%d" % number)

    def refused():
        ear = watch.Ear(target.control, 12)
        try:
            ear.wait_ended(0.5)
            return True
        except procs.Timeout:
            return False
        finally:
            ear.close()
    procs.wait_for(refused, SLOW, "compaction", 0.2)


def run(name, target):
    record = Record()
    try:
        ear = watch.Ear(target.control)
        start = ear.wait_started()
        record.facts["start"] = [start.size, start.version]
        life(record, target, ear)
        messages, events = list(ear.messages[1:]), ear.events()
        tell_sequences(record, events)
        tell_order(record, events)
        tell_versions(record, messages)
        ear.close()
        resume(record, target, messages)
        refusals(record, target)
        RECORDS[name] = record
    except Exception as error:  # told by the tests below
        RECORDS[name] = error


def both():
    for name in ("real", "fake"):
        if isinstance(RECORDS[name], Exception):
            raise RECORDS[name]
    return RECORDS["real"], RECORDS["fake"]


def compare(real, fake):
    bad = [key for key in sorted(set(real) | set(fake))
           if real.get(key) != fake.get(key)]
    for key in bad:
        tap.note("%s:\n   real %s\n   fake %s" % (
            key, real.get(key), fake.get(key)))
    tap.ok(not bad, "%d differences" % len(bad))


@tap.test
def watch_stands_on_both_engines():
    real, fake = both()
    tap.equal(real.facts["start"], [0, None])
    tap.equal(fake.facts["start"], [0, None])


@tap.test
def each_object_takes_the_same_steps():
    real, fake = both()
    compare(real.sequences, fake.sequences)


@tap.test
def order_versions_resuming_and_refusals_are_the_same():
    real, fake = both()
    tap.ok(len(real.facts) > 15)
    tap.equal(real.facts["resumed: the same again"], True)
    tap.equal(real.facts["version as in the API"], True)
    compare(real.facts, fake.facts)


beside.play(FAKE, REAL, run)
tap.main()
