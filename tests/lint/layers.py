#!/usr/bin/env python3
"""Checks who includes whom: lower layers never higher ones, programs never
each other, and what is the reader's alone stays the reader's alone."""

import os
import re
import sys

# Level of each folder under lib/ (docs/internals.md, style).
LEVEL = {"base": 0, "config": 1, "model": 1, "crypto": 1, "loop": 2, "docker": 3, "bus": 3}
PROGRAMS = ("supervisor", "extension", "proxyctl")
# Library headers that no header of ours may pull in.
HIDDEN = ("curl/", "nng/", "jansson.h", "microhttpd.h")
# The pure parts bring neither loop nor library.
PURE = re.compile(r"^(lib/base|lib/model|lib/config|lib/crypto|extension/"
                  r"(claims|routes|report|render|nginx|readback|explain))")
IMPURE = ("uv.h", "curl/", "nng/", "microhttpd.h")
# docker/client and watch hold the Docker sockets: files of the reader and of
# its gate only.
READER_ONLY = ("docker/client.h", "docker/watch.h")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def sources():
    for top in ("lib",) + PROGRAMS:
        for folder, _, names in os.walk(top):
            for name in names:
                if name.endswith((".c", ".h", ".def")):
                    yield os.path.join(folder, name)


def check(path):
    parts = path.split(os.sep)
    layer = parts[1] if parts[0] == "lib" else None
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            kind, name = match.groups()
            where = "%s:%d: " % (path, number)
            target = name.split("/")[0]
            if kind == '"' and layer and target in PROGRAMS:
                yield where + "lib/ includes a program: " + name
            if kind == '"' and layer and target in LEVEL \
                    and LEVEL[target] > LEVEL[layer]:
                yield where + "%s is a higher layer than %s" % (
                    target, layer)
            if kind == '"' and not layer and target in PROGRAMS \
                    and target != parts[0]:
                yield where + "one program includes another: " + name
            if kind == '"' and name.startswith("..") \
                    and parts[0] in PROGRAMS and parts[1] != "agent":
                yield where + "reaches out of its folder: " + name
            if path.endswith(".h") and name.startswith(HIDDEN) \
                    and not path.endswith("_internal.h"):
                yield where + "a header pulls in " + name
            if PURE.match(path) and name.startswith(IMPURE):
                yield where + "pure code includes " + name
            if name in READER_ONLY and not (
                    path.startswith(("supervisor/reader", "supervisor/gate"))
                    or path.startswith("lib/docker/")
                    or path.startswith("proxyctl/cmd_snapshot")):
                yield where + name + " is the reader's alone"


def main():
    found = [line for path in sorted(sources()) for line in check(path)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
