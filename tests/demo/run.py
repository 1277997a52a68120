#!/usr/bin/env python3
"""make run: the whole system on a simulated Swarm, with real nginx proxies,
until Ctrl-C."""

import argparse
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--build", required=True)
parser.add_argument("--script", help="a tour (tests/README.md) to play")
ARGS = parser.parse_args()
os.environ["BULKHEAD_BUILD"] = os.path.abspath(ARGS.build)

import bulkhead  # noqa: E402
import engine  # noqa: E402
import tour  # noqa: E402


def main():
    fake = engine.FakeSwarm("--script", os.path.join(HERE, "script.json"))
    system = bulkhead.System(fake.socket)
    try:
        print("starting a simulated Swarm ...", flush=True)
        fake.start()
        blue = system.cluster("blue", replicas=2,
                              text="[cluster]\ndefault = true\n")
        green = system.cluster("green", replicas=2)
        print("starting Bulkhead with two clusters of two proxies ...",
              flush=True)
        system.start()
        system.wait_served("blue", "hello.localhost")
        system.wait_served("green", "shop.localhost")
        tell(fake, system, blue, green)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
        print("\nstopping ...", flush=True)
    finally:
        system.stop()
        fake.stop()
    return 0


def play(path):
    """Plays a tour, and leaves all standing to be looked at."""
    try:
        steps = tour.read(path)
    except (OSError, tour.BadTour) as error:
        print(error, file=sys.stderr)
        return 2
    fake = engine.FakeSwarm(push=True)
    system = bulkhead.System(fake.socket, watch=fake.control)
    failed = None
    try:
        fake.start()
        for name, text, replicas in tour.clusters(steps):
            system.cluster(name, replicas=replicas, text=text)
            print("%s: %s" % (name, ", ".join(
                system.clusters[name].where(i) for i in range(replicas))))
        system.start()
        print("docker: unix://%s\nadmin: %s\nlogs: %s and %s/log" % (
            fake.socket, system.socket, system.log, system.run_dir),
            flush=True)
        try:
            tour.Player(fake, system, lambda t: print(t, flush=True)
                        ).play(steps)
        except tour.Failed as error:
            failed = error
        print("%s\nCtrl-C ends everything." % (failed or "all was met."),
              flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
    finally:
        system.stop()
        fake.stop()
    return 1 if failed else 0


def tell(fake, system, blue, green):
    ctl = "%s --socket %s" % (
        os.path.relpath(os.path.join(ARGS.build, "bin", "proxyctl")),
        system.socket)
    print("""
Bulkhead is up.  Try, in another terminal:

  curl -i -H 'Host: hello.localhost' http://%(blue)s/
  curl -i -H 'Host: hello.localhost' http://%(blue)s/api/users
  curl -i -H 'Host: shop.localhost'  http://%(green)s/

  %(ctl)s status
  %(ctl)s services      # one of them is rejected: see why
  %(ctl)s explain mistaken
  %(ctl)s explain hello.localhost/api
  %(ctl)s routes
  %(ctl)s proxies
  %(ctl)s config blue

The clusters' files are in %(dir)s:
change one and save it.  Scale, update and remove services through the
simulated Engine API, with curl or any docker client:

  docker -H unix://%(docker)s service ls
  docker -H unix://%(docker)s service scale -d hello=4

Logs: %(log)s and %(run)s/log.
Ctrl-C ends everything.
""" % {"blue": blue.where(), "green": green.where(), "ctl": ctl,
       "dir": system.clusters_dir, "docker": fake.socket,
       "log": system.log, "run": system.run_dir}, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(play(ARGS.script) if ARGS.script else main())
    except KeyboardInterrupt:
        sys.exit(130)
