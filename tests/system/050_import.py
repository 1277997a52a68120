#!/usr/bin/env python3
"""
proxyctl import: Interlock's TOML in, INI files that are taken out; and the
pages on moving, whose examples are tried.
"""

import json
import os
import re
import subprocess

import procs
import tap

TEMP = procs.TempDir()
tap.cleanup(TEMP.remove)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
FULL = os.path.join(ROOT, "tests", "fixtures", "toml", "mke.toml")
MINIMAL = "[Extensions.default]\n  ProxyReplicas = 3\n"


def run(*args, text=None):
    """(exit code, standard output, standard error) of proxyctl."""
    done = subprocess.run(
        [procs.binary("proxyctl"), *args], capture_output=True, timeout=60,
        input=text.encode("latin-1") if text is not None else b"")
    return (done.returncode, done.stdout.decode("utf-8"),
            done.stderr.decode("utf-8"))


def source(name, text):
    path = TEMP.join(name)
    with open(path, "w") as file:
        file.write(text)
    return path


def tree(folder):
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path) as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


@tap.test
def what_is_written_is_taken_by_check_and_by_render():
    out = TEMP.join("full")
    code, account, err = run("import", FULL, "--out", out)
    tap.equal(err, "")
    tap.ok(code in (0, 1), code)
    files = tree(out)
    tap.equal(sorted(files), ["bulkhead.ini", "clusters.d/default.ini"])
    tap.contains(account, "written: " + out + "/clusters.d/default.ini")
    cluster = os.path.join(out, "clusters.d/default.ini")
    code, told, err = run("check", os.path.join(out, "bulkhead.ini"))
    tap.equal(code, 0, told + err)
    empty = source("empty.json", '{"version":1}')
    code, report, err = run("render", "--cluster", cluster, "--snapshot",
                            empty)
    tap.equal(code, 0, err)
    tap.equal(json.loads(report)["cluster"], "default")


@tap.test
def the_only_thing_check_misses_is_what_the_account_says_is_to_do():
    out = TEMP.join("todo")
    _, account, _ = run("import", FULL, "--out", out)
    code, told, err = run("check", os.path.join(out,
                                                "clusters.d/default.ini"))
    tap.contains(account, "[control] listen")
    wrong = [line for line in (told + err).splitlines()
             if "default.ini:" in line and "[control]" not in line and
             not line.endswith((": no errors", "this is needed:"))]
    tap.ok(code in (0, 1), code)
    tap.equal(wrong, [])


@tap.test
def every_key_of_the_source_has_its_line_and_one_in_json():
    with open(FULL) as file:
        # A text over several lines begins on the line of its key.
        text = re.sub('"""\n.*?"""', '""', file.read(), flags=re.S)
    keys = re.findall(r'^\s*"?([\w.]+)"? *=', text, re.M)
    _, account, _ = run("import", FULL, "--out", TEMP.join("lines"))
    lines = re.findall(r"^line (\d+): (\S+) =", account, re.M)
    tap.equal(len(lines), len(keys))
    code, text, _ = run("--json", "import", FULL, "--out", TEMP.join("js"))
    records = json.loads(text)["records"]
    tap.equal([(str(r["line"]), r["key"]) for r in records], lines)
    for record in records:
        tap.ok(record.get("target") or record.get("note"), record)


@tap.test
def standard_input_is_a_file_as_good_as_any():
    code, account, err = run("import", "-", "--out", TEMP.join("stdin"),
                             text=MINIMAL)
    tap.equal((code, err), (0, ""))
    tap.contains(tree(TEMP.join("stdin"))["clusters.d/default.ini"],
                 "replicas = 3\n")
    tap.contains(account, "line 2: Extensions.default.ProxyReplicas")


@tap.test
def labels_that_are_no_table_are_told():
    code, account, _ = run("import", source("labels.toml", MINIMAL +
                                            "  ProxyLabels = [\"a=b\"]\n"),
                           "--out", TEMP.join("labels"))
    tap.equal(code, 1)
    tap.contains(account, "labels are a table: [Extensions.NAME.ProxyLabels]")


@tap.test
def nothing_is_replaced_unasked():
    path, out = source("again.toml", MINIMAL), TEMP.join("again")
    tap.equal(run("import", path, "--out", out)[0], 0)
    with open(os.path.join(out, "clusters.d/default.ini"), "a") as file:
        file.write("# mine\n")
    before = tree(out)
    code, told, err = run("import", path, "--out", out)
    tap.equal((code, told), (1, ""))
    tap.contains(err, "is there already")
    tap.equal(tree(out), before)
    tap.equal(run("import", path, "--out", out, "--force")[0], 0)
    tap.ok("# mine" not in tree(out)["clusters.d/default.ini"])


@tap.test
def several_extensions_are_several_clusters():
    out = TEMP.join("several")
    code, account, err = run("import", "-", "--out", out, text=(
        '[Extensions.default]\nProxyReplicas = 1\n'
        '[Extensions.blue]\nServiceCluster = "blue"\n'
        "PublishedPort = 81\nPublishedSSLPort = 444\n"))
    tap.equal((code, err), (0, ""), account)
    files = tree(out)
    tap.equal(sorted(files), ["bulkhead.ini", "clusters.d/blue.ini",
                              "clusters.d/default.ini"])
    tap.contains(files["clusters.d/blue.ini"], "published_port = 81\n")
    tap.contains(files["clusters.d/default.ini"], "default = true")
    tap.ok("default = true" not in files["clusters.d/blue.ini"])


@tap.test
def what_needs_a_look_is_exit_code_1_and_is_still_written():
    out = TEMP.join("look")
    code, account, err = run("import", "-", "--out", out, text=(
        "[Extensions.default]\nProxyReplicas = -4\nPublishMode = \"moon\"\n"
        "NoSuchKey = 1\n"))
    tap.equal((code, err), (1, ""))
    tap.equal(len(re.findall(r"^    (?:bad|unknown)", account, re.M)), 3,
              account)
    text = tree(out)["clusters.d/default.ini"]
    tap.ok("-4" not in text and "moon" not in text and "NoSuch" not in text)


@tap.test
def what_is_no_toml_writes_nothing():
    for number, text in enumerate((
            "<html>", "[Extensions", "a = ", 'a = "x', "a = 1\na = 2\n",
            "a = 1 b = 2", "\0", '{"json": 1}', "[[x]\n", "a = 'x\n'",
            "a" * 2000000, "[" * 5000, "a." * 5000 + "b = 1",
            "a = [" + "[" * 5000)):
        out = TEMP.join("broken%d" % number)
        code, told, err = run("import", "-", "--out", out, text=text)
        tap.equal((code, told, os.path.exists(out)), (1, "", False),
                  text[:40])
        tap.ok(re.fullmatch(r"proxyctl import: [ -~]{5,400}\n", err), err)
    code, _, err = run("import", TEMP.join("absent.toml"))
    tap.equal((code, len(err.splitlines())), (1, 1))
    for args in (("import",), ("import", "a", "b"), ("import", "--out"),
                 ("import", "--what", FULL)):
        tap.equal(run(*args)[0], 2, args)


@tap.test
def no_name_and_no_value_writes_elsewhere_or_other_keys():
    evil = "x\\ny = 1\\n[proxy]\\nreplicas = 99"
    for number, text in enumerate((
            '[Extensions."../../evil"]\nProxyReplicas = 2\n',
            '[Extensions."/etc/evil"]\nProxyReplicas = 2\n',
            '[Extensions."a\\nb"]\nProxyReplicas = 2\n',
            '[Extensions.""]\nProxyReplicas = 2\n',
            '[Extensions."%s"]\nProxyReplicas = 2\n' % ("n" * 300),
            'DockerURL = "%s"\n[Extensions.default]\n' % evil,
            '[Extensions.default]\nServiceCluster = "%s"\n' % evil,
            '[Extensions.default]\nServiceCluster = "../evil"\n',
            '[Extensions.default]\nProxyConstraints = ["%s"]\n' % evil,
            '[Extensions.default.ProxyLabels]\n"%s" = "%s"\n' % (evil, evil),
            '[Extensions.default.ProxyLabels]\na = "%s"\n' % evil,
            '[Extensions.default.Config]\nUser = "%s"\n' % evil,
            '[Extensions.default.Config]\nAccessLogPath = "%s"\n' % evil,
            '[Extensions.default.Config]\nSSLCiphers = "%s ; x"\n' % evil,
            '[Extensions.default.Config]\nMainLogFormat = "%s"\n' % evil,
            '[Extensions.default]\nPublishMode = "\\u001b[2J\\u009b"\n')):
        folder = TEMP.join("evil%d" % number)
        out = os.path.join(folder, "a", "b")
        code, account, err = run("import", "-", "--out", out, text=text)
        tap.ok(code in (0, 1), (text, code, err))
        tap.ok(not re.search("[^\n\x20-\x7e]", account + err),
               repr(account + err))
        for name, ini in tree(folder).items():
            tap.ok(re.fullmatch(r"a/b/(bulkhead\.ini|clusters\.d/"
                                r"[a-z0-9-]+\.ini)", name), name)
            tap.ok(not re.search(r"^(y|replicas) *= *(1|99)", ini, re.M),
                   (text, ini))


def blocks(page, kind):
    with open(os.path.join(ROOT, "docs", page)) as file:
        return re.findall(r"```%s\n(.*?)```" % kind, file.read(), re.S)


@tap.test
def the_page_on_interlock_shows_what_import_writes():
    toml, = blocks("migrating-from-interlock.md", "toml")
    shown, = blocks("migrating-from-interlock.md", "ini")
    out = TEMP.join("page")
    code, account, err = run("import", "-", "--out", out, text=toml)
    tap.equal((code, err), (0, ""), account)
    ini = tree(out)["clusters.d/default.ini"]
    tap.equal(re.sub("^#.*\n\n?", "", ini), shown)


def published(yaml):
    """Service name -> labels of ours, of a stack file."""
    services, name = {}, None
    for line in yaml.splitlines():
        head = re.fullmatch(r"  ([a-z-]+):", line)
        label = re.fullmatch(r" +(com\.docker\.lb\.\w+): (.*)", line)
        if head:
            name = head[1]
        elif label:
            # A stack file with a bare boolean there is not deployed.
            tap.ok(label[2] not in ("true", "false"), line)
            services.setdefault(name, {})[label[1]] = label[2].strip('"')
    return services


@tap.test
def the_stacks_of_both_pages_are_accepted_without_a_remark():
    ini = source("default.ini", "")
    tried = 0
    for page in ("migrating-from-interlock.md", "migrating-from-traefik.md"):
        for yaml in blocks(page, "yaml"):
            services = published(yaml)
            tap.ok(services or "traefik." in yaml, yaml)
            shot = source("stack.json", json.dumps({
                "version": 1, "networks": [{
                    "Id": "n1", "Name": "shop_front", "Driver": "overlay",
                    "Scope": "swarm"}],
                "secrets": [{"ID": "x" + n, "Spec": {"Name": n}}
                            for n in ("shop-cert", "shop-key")],
                "services": [{
                    "ID": "s%d" % i, "CreatedAt":
                        "2024-01-01T00:00:%02dZ" % i,
                    "Spec": {"Name": n, "Labels": labels, "TaskTemplate": {
                        "Networks": [{"Target": "n1"}]}}}
                    for i, (n, labels) in enumerate(services.items())]}))
            code, report, err = run("render", "--cluster", ini,
                                    "--snapshot", shot)
            tap.equal((code, err), (0, ""))
            report = json.loads(report)
            tap.equal(report["rejected"], [])
            told = [r for a in report["accepted"] for r in a["remarks"]
                    if "names no subnet" not in r["reason"]]
            tap.equal(told, [])
            tap.equal(len(report["accepted"]), len(services))
            tried += len(services)
    tap.equal(tried, 6)


tap.main()
