"""TAP output for test scripts.

    import tap

    @tap.test
    def a_sentence_that_is_the_name():
        tap.equal(1 + 1, 2)

    tap.main()

Tests run in the order they are written.  A test fails by raising anything
(AssertionError from the checks here); tap.skip(reason) inside a test skips
it, tap.skip_all(reason) before main() skips the program.
"""

import functools
import sys
import traceback

_tests = []
_cleanups = []
_broken = []


class Skip(Exception):
    """Raised to skip the test that runs."""


def test(function):
    _tests.append(function)
    return function


def step(function):
    """A test that builds on those before it: skipped after one that failed."""
    @functools.wraps(function)
    def run():
        if _broken:
            skip("not tried after what failed")
        try:
            function()
        except Skip:
            raise
        except BaseException:
            _broken.append(function.__name__)
            raise
    return test(run)


def skip(reason):
    raise Skip(reason)


def skip_all(reason):
    print("1..1\nok 1 - %s # SKIP %s" % (
        sys.argv[0].rsplit("/", 1)[-1], reason), flush=True)
    sys.exit(0)


def cleanup(function, *args):
    """Calls function(*args) at the end of main(), last one first."""
    _cleanups.append((function, args))


def ok(value, message="is false"):
    if not value:
        raise AssertionError(message)


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError("%sgot %r, wanted %r" % (
            what + ": " if what else "", got, wanted))


def contains(text, part):
    if part not in text:
        raise AssertionError("%r is not in %r" % (part, text))


def note(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def main():
    """Runs the tests and exits: 0 when none failed."""
    print("1..%d" % len(_tests), flush=True)
    failed = 0
    try:
        for number, function in enumerate(_tests, 1):
            name = function.__name__.replace("_", " ")
            try:
                function()
                print("ok %d - %s" % (number, name), flush=True)
            except Skip as reason:
                print("ok %d - %s # SKIP %s" % (number, name, reason),
                      flush=True)
            except Exception:  # any exception is a failed test
                failed += 1
                note(traceback.format_exc())
                print("not ok %d - %s" % (number, name), flush=True)
    finally:
        for function, args in reversed(_cleanups):
            try:
                function(*args)
            except Exception:
                failed += 1
                note("cleanup: " + traceback.format_exc())
    sys.exit(1 if failed else 0)
