#!/usr/bin/env python3
"""Runs every fuzz target for a set time, from the seeds that unit tests and
fixtures give; a crash is told with its file.

usage: tests/fuzz/run.py --build DIR [--seconds N] [--only NAME]
"""

import argparse
import glob
import json
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


def expand(value):
    """A label of the hostile suite as its bytes, no longer than 2,000."""
    if isinstance(value, dict) and "$repeat" in value:
        return value["$repeat"][0] * min(value["$repeat"][1], 100)
    if isinstance(value, dict) and "$concat" in value:
        return "".join(expand(v) for v in value["$concat"])[:2000]
    return value if isinstance(value, str) else ""


def hostile(name, folder):
    """The hostile suite's cases as seeds of 'name', into 'folder'."""
    number = 0
    for path in sorted(glob.glob(os.path.join(
            os.path.dirname(HERE), "hostile", "*.json"))):
        with open(path, encoding="utf-8") as file:
            cases = json.load(file)
        for case in cases:
            number += 1
            labels = {"hosts": "a.example", "port": "80"}
            labels.update({k: v for k, v in case.get("labels", {}).items()
                           if v is not None and "$" not in k})
            text = "|".join("%s=%s" % (k, expand(v))
                            for k, v in sorted(labels.items()))
            if name == "oracle_fuzz":
                text = "\1\0\7\4;hosts=b.example|port=80\n" + text
            elif name != "label_fuzz":
                text = case.get("raw")
            if name in ("decode_fuzz", "snapshot_fuzz"):
                text = text or json.dumps(case.get("service", {}))
            elif name not in ("label_fuzz", "oracle_fuzz"):
                continue
            if isinstance(text, str):
                with open(os.path.join(folder, "hostile%d" % number),
                          "wb") as out:
                    out.write(text.encode("utf-8", "surrogatepass"))


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
            hostile(name, corpus)
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
