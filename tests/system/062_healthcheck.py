#!/usr/bin/env python3
"""proxyctl healthcheck: yes only where the engine answers 200."""

import os
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import procs  # noqa: E402
import tap    # noqa: E402


def asked(folder):
    return subprocess.run([procs.binary("proxyctl"), "healthcheck", folder],
                          capture_output=True, text=True, check=False)


def answering(folder, line):
    """One answer of that status line, then nothing listens any more."""
    path = os.path.join(folder, "internal.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve():
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(("HTTP/1.1 %s\r\nContent-Length: 0\r\n"
                            "Connection: close\r\n\r\n" % line).encode())
        connection.close()
        listener.close()
    thread = threading.Thread(target=serve)
    thread.start()
    done = asked(folder)
    thread.join()
    os.unlink(path)
    return done


@tap.test
def an_engine_that_answers_is_well_and_no_other_one():
    with tempfile.TemporaryDirectory(prefix="bh-health-") as folder:
        tap.equal(answering(folder, "200 OK").returncode, 0)
        bad = answering(folder, "503 Service Unavailable")
        tap.equal(bad.returncode, 1)
        tap.contains(bad.stdout, "answers 503")
        none = asked(folder)
        tap.equal(none.returncode, 1)
        tap.contains(none.stdout, "does not answer")
    tap.equal(asked("/nowhere").returncode, 1)


tap.main()
