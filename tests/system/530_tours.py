#!/usr/bin/env python3
"""Tours play as they are written, and say where something is wrong."""

import os

import bulkhead
import engine
import tap
import tour

FOLDER = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "fixtures", "tours")


def play(steps):
    fake = engine.FakeSwarm("--task-delay", "50ms", "--restart-delay",
                            "100ms", push=True)
    system = bulkhead.System(fake.socket, watch=fake.control)
    try:
        fake.start()
        for name, text, replicas in tour.clusters(steps):
            system.cluster(name, replicas=replicas, text=text)
        system.start()
        tour.Player(fake, system, say=tap.note).play(steps)
    finally:
        system.stop()
        fake.stop()


@tap.test
def every_tour_of_the_tree_plays_to_its_end():
    names = sorted(n for n in os.listdir(FOLDER) if n.endswith(".tour"))
    tap.ok(names)
    for name in names:
        tap.note(name)
        play(tour.read(os.path.join(FOLDER, name)))


@tap.test
def what_does_not_come_is_told_with_its_line():
    saved, tour.DEADLINE = tour.DEADLINE, 2.0
    try:
        play(tour.parse("cluster blue default=true\nnetwork front\n"
                        "\nexpect routes blue a.example/=a:1\n", "bug.tour"))
    except tour.Failed as error:
        tap.contains(str(error), "bug.tour:4: expect routes")
        tap.contains(str(error), "routes are none")
    else:
        tap.ok(False, "it was met")
    finally:
        tour.DEADLINE = saved


@tap.test
def what_cannot_be_read_is_told_before_anything_plays():
    for text, part in (("wobble web", "unknown step 'wobble'"),
                       ("at soon scale web 2", "no duration"),
                       ("scale web", "wrong number of words"),
                       ("at 2s", "nothing to do"),
                       ("service 'web", "No closing quotation")):
        try:
            tour.parse("# a line\n" + text, "bug.tour")
        except tour.BadTour as error:
            tap.contains(str(error), "bug.tour:2: ")
            tap.contains(str(error), part)
        else:
            tap.ok(False, "%r was read" % text)


tap.main()
