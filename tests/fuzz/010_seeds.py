#!/usr/bin/env python3
"""Every fuzz target over its seeds and a few seconds of its own."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(os.environ["BULKHEAD_BUILD"]), "fuzz")
os.execv(sys.executable, [sys.executable, os.path.join(HERE, "run.py"),
                          "--build", BUILD, "--seconds", "3"])
