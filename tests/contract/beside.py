"""The simulator and a real engine, side by side."""

import threading

import engine
import tap


def play(fake, real, work):
    """
    Starts both and has work(name, engine) done to "fake" and "real" at a
    time; skips all where no real engine can run.
    """
    fake.start()
    tap.cleanup(fake.stop)
    try:
        real.start()
    except engine.CannotRun as reason:
        fake.stop()
        tap.skip_all("no real engine: %s" % reason)
    tap.cleanup(real.stop)
    threads = [threading.Thread(target=work, args=pair) for pair in
               (("fake", fake), ("real", real))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
