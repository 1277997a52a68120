#!/usr/bin/env python3
"""Runs every fuzz target for a set time, from the seeds that unit tests and
fixtures give; a crash is told with its file.

usage: tests/fuzz/run.py --build DIR [--seconds N] [--only NAME]
"""

import argparse
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(os.path.dirname(HERE), "fixtures")


def seeds(name):
    """Folders of seeds: fixtures/fuzz/NAME, and fixtures by kind."""
    short = name[:-len("_fuzz")]
    wanted = [os.path.join(FIXTURES, "fuzz", short),
              os.path.join(FIXTURES, short)]
    if short in ("decode", "snapshot", "json_cut"):
        wanted.append(os.path.join(FIXTURES, "engine"))
    return [w for w in wanted if os.path.isdir(w)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    folder = os.path.join(args.build, "fuzz")
    names = sorted(n for n in os.listdir(folder)
                   if n.endswith("_fuzz") and args.only in n)
    print("1..%d" % len(names), flush=True)
    bad = 0
    for number, name in enumerate(names, 1):
        with tempfile.TemporaryDirectory() as corpus:
            command = [os.path.join(folder, name),
                       "-rss_limit_mb=2048", "-timeout=10",
                       "-artifact_prefix=./", corpus] + seeds(name)
            if args.seconds:
                command.insert(1, "-max_total_time=%d" % args.seconds)
            else:
                command.insert(1, "-runs=0")
            done = subprocess.run(command, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, text=True,
                                  errors="replace")
        if done.returncode != 0:
            bad += 1
            print(done.stdout[-4000:])
        print("%s %d - %s" % ("ok" if done.returncode == 0 else "not ok",
                              number, name), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
