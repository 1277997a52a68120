"""
The sample application of the vendor's pages, as backends.py answers: METADATA
is who it is, each container a task.  A client without one is given a cookie
"session".  Runs in an image of images.demo().

usage: demo_app.py [--tls-cert FILE --tls-key FILE]
"""

import argparse
import os
import signal
import socket
import threading

import backends

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    args = parser.parse_args()
    # The first process of a container is spared signals that it does not take.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    pair = (args.tls_cert, args.tls_key) if args.tls_cert else None
    with backends.Backends([backends.Backend(
            os.environ.get("METADATA", ""), socket.gethostname(), "0.0.0.0",
            int(os.environ.get("PORT", "8080")), tls=pair,
            cookie="session")]):
        threading.Event().wait()
