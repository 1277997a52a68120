#!/usr/bin/env python3
"""Every case of this folder, rendered and served by the real engine."""

import json
import os
import shutil
import sys

import cases
import certificates
import procs
import tap

HERE = os.path.dirname(os.path.abspath(__file__))
FIRST_PORT = 22100
PORTS = 4  # of one case: HTTP, TLS, status, one to spare


def names():
    found = []
    for folder, _, files in os.walk(HERE):
        found += [os.path.relpath(os.path.join(folder, f), HERE)
                  for f in files if f.endswith(".json")]
    only = sys.argv[1:]
    return sorted(n for n in found if not only or any(o in n for o in only))


def add(name, number, pki):
    def run():
        with open(os.path.join(HERE, name)) as file:
            case = json.load(file)
        if case.get("engine", "nginx") != "nginx":
            tap.skip("for " + case["engine"])
        folder = procs.TempDir("bh-case-")
        served = cases.Served(case, folder.path,
                              FIRST_PORT + number % 200 * PORTS, pki)
        try:
            served.run()
        except Exception:
            if os.environ.get("KEEP"):
                print("# kept: " + folder.path)
                folder = None
            raise
        finally:
            if folder is not None:
                folder.remove()
    run.__name__ = name[:-len(".json")].replace("_", " ")
    tap.test(run)


if not os.access(cases.NGINX, os.X_OK):
    tap.skip_all("no nginx here (make deps installs it)")
base = procs.TempDir("bh-cases-")
tap.cleanup(shutil.rmtree, base.path)
authority = certificates.Pki(base.path)
for index, case_name in enumerate(names()):
    add(case_name, index, authority)
tap.main()
