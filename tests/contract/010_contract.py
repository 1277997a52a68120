#!/usr/bin/env python3
"""
The simulator keeps the Engine's contract: the same calls to fakeswarm and to
a private real engine, side by side, must look the same.
"""

import traceback

import beside
import engine
import observe
import scenario
import tap

FAKE = engine.FakeSwarm("--log-level", "warn")
REAL = engine.RealEngine()
RECORDS = {}


def play(name, target):
    try:
        RECORDS[name] = scenario.run(target)
    except Exception as error:  # told by the tests below
        RECORDS[name] = error
        tap.note("%s: %s" % (name, traceback.format_exc()))


def both():
    for name in ("real", "fake"):
        if isinstance(RECORDS[name], Exception):
            raise AssertionError("no record of the %s engine" % name)
    return RECORDS["real"], RECORDS["fake"]


def compare(real, fake, what):
    """Two dicts, entry by entry; every difference is told."""
    bad = []
    for key in sorted(set(real) | set(fake), key=str):
        if real.get(key) != fake.get(key):
            bad.append("%s:\n   real %s\n   fake %s" % (
                key, real.get(key), fake.get(key)))
    for line in bad:
        tap.note(line)
    tap.ok(not bad, "%d differences in %s" % (len(bad), what))


@tap.test
def the_scenario_runs_on_both_engines():
    both()


@tap.test
def status_codes_and_error_bodies_are_the_same():
    real, fake = both()
    tap.ok(len(real.answers) > 50)
    compare(real.answers, fake.answers, "answers")


@tap.test
def objects_have_the_same_members_and_types():
    real, fake = both()
    bad = 0
    for name in sorted(set(real.shapes) | set(fake.shapes)):
        one, two = real.shapes.get(name, set()), fake.shapes.get(name, set())
        for line in sorted(one - two):
            tap.note("%s: only real has %s" % (name, line))
        for line in sorted(two - one):
            tap.note("%s: only fake has %s" % (name, line))
        bad += len(one ^ two)
    tap.equal(bad, 0, "differing members")


@tap.test
def versions_and_filters_behave_the_same():
    real, fake = both()
    compare(real.facts, fake.facts, "facts")


@tap.test
def snapshots_of_both_render_to_a_configuration_that_nginx_takes():
    for record in both():
        accepted, rejected, networks, checked = record.facts["rendered"]
        tap.equal(accepted, [["web", "task", "two",
                              [["web.example", "/", 2]], []]])
        tap.equal(rejected, [])
        tap.equal(networks, ["two"])
        tap.equal(checked, "good")


@tap.test
def events_of_each_object_come_in_the_same_order():
    real, fake = both()
    compare(observe.simplify(real.events), observe.simplify(fake.events),
            "events")


@tap.test
def rolling_updates_take_the_same_steps():
    real, fake = both()
    tap.equal(len(real.steps["stop-first"]), 2)
    compare(real.steps, fake.steps, "steps")


@tap.test
def the_simulator_ends_cleanly():
    tap.ok(FAKE.process.alive())
    tap.equal(FAKE.process.stop(), 0, "exit status")
    tap.ok("ERROR" not in FAKE.process.output(), FAKE.process.output())
    FAKE.process = None


beside.play(FAKE, REAL, play)
tap.main()
