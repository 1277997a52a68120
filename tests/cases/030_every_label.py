#!/usr/bin/env python3
"""Every label of the table, and every setting of nginx that a client can see,
has a served case: one that is forgotten fails here."""

import json
import os
import re

import tap

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

# Settings that no served case can show, and why.
ELSEWHERE = {
    "user": "needs another user than the one that tests run as",
    "ssl_verify": "backend_tls_verified has the label of that name",
    "ssl_default_dh_param": "no client of ours asks for DHE",
    "ssl_default_dh_param_path": "no client of ours asks for DHE",
    "error_log": "of the agents: their logs",
}


def text(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def cases():
    for folder, _, files in os.walk(HERE):
        for name in sorted(files):
            if name.endswith(".json"):
                yield name, json.loads(text("tests", "cases",
                                            os.path.relpath(
                                                os.path.join(folder, name),
                                                HERE)))


CASES = dict(cases())


def labels_of(case):
    for service in case["services"].values():
        yield from service.get("labels", {})


def label_table():
    source = text("lib", "model", "label.h")
    table = re.findall(r'^\tX\([A-Z_]+, "([a-z_]+)"\)',
                       source[source.index("#define LABELS(X)"):], re.M)
    tap.ok(len(table) >= 36, "the table of labels was not found")
    return table


@tap.test
def every_label_of_the_table_has_a_case():
    table = label_table()
    seen = {label for case in CASES.values() for label in labels_of(case)}
    tap.equal(sorted(set(table) - seen), [], "labels without a case")


@tap.test
def every_label_has_a_case_in_which_a_request_is_answered():
    table = label_table()
    seen = {label for case in CASES.values()
            if case.get("requests") for label in labels_of(case)}
    tap.equal(sorted(set(table) - seen), [], "labels without a request")


@tap.test
def every_nginx_setting_has_a_case_or_is_seen_elsewhere():
    keys = set(re.findall(r'(?:"nginx"|\.section = "nginx"),\s+(?:\.key = )?"([a-z_0-9]+)"',
                          text("lib", "config", "keys.c")))
    keys -= {"haproxy"}  # an engine, not a key
    tap.ok(len(keys) >= 35, "the table of keys was not found")
    seen = {key for case in CASES.values()
            for key in case.get("settings", {}).get("nginx", {})}
    seen.add("access_log")  # off in every case, on in log_formats
    tap.equal(sorted(keys - seen - set(ELSEWHERE)), [],
              "settings that nothing shows")
    tap.equal(sorted(set(ELSEWHERE) & seen), [],
              "settings that have a case by now")


@tap.test
def there_are_more_cases_than_were_asked_for():
    tap.ok(len(CASES) >= 150, "%d cases" % len(CASES))


tap.main()
