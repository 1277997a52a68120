#!/usr/bin/env python3
"""
The manual pages against the programs.  BULKHEAD_UPDATE=1 in the environment
writes the part of proxyctl(1) that is made from its help anew.
"""

import glob
import os
import re
import shutil
import subprocess
import textwrap

import bulkhead
import engine
import procs
import tap

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "docs")
PAGES = sorted(glob.glob(os.path.join(DOCS, "*.[1-9]")))
BEGIN = '.\\" From here on made'
END = '.\\" End of what is made.\n'
OPTION = re.compile(r"--[a-z][a-z-]*|(?<![\w-])-[a-zA-Z](?![\w-])")


def read(name):
    with open(os.path.join(DOCS, name)) as file:
        return file.read()


def output(program, *args):
    return subprocess.run([procs.binary(program), *args], check=True,
                          capture_output=True, text=True,
                          stdin=subprocess.DEVNULL).stdout


def commands():
    """Names, in the order of the help."""
    text = output("proxyctl", "--help")
    return re.findall(r"^  ([a-z]+) +\S", text, re.M)


def roff(text):
    """A line of text, with nothing in it that is markup."""
    text = text.replace("\\", "\\e")
    return "\\&" + text if text[:1] in (".", "'") else text


def sentence(text):
    return text[:1].upper() + text[1:] + "."


def sentences(lines):
    """Running text, each sentence on a line of its own."""
    text = re.sub(r"\.\s+(?=[A-Z])", ".\n", " ".join(lines))
    return [roff(line) for one in text.splitlines()
            for line in textwrap.wrap(one, 76)]


def section(name):
    """A command's part of the page, from its own help."""
    text = output("proxyctl", name, "--help")
    usage, what, *rest = [p for p in text.split("\n\n", 2)]
    lines = [".Ss " + name, ".Bd -literal"]
    lines += textwrap.wrap(usage[len("usage: "):], 74,
                           subsequent_indent="    ")
    lines += [".Ed", ".Pp", roff(sentence(what.strip()))]
    if not rest:
        return lines
    literal, plain = False, []
    for line in rest[0].rstrip().splitlines():
        if line.startswith("  ") != literal:
            lines += sentences(plain)
            literal, plain = not literal, []
            lines += [".Bd -literal -offset 2n"] if literal else \
                [".Ed", ".Pp"]
        if literal:
            lines.append(roff(line[2:]))
        else:
            plain.append(line)
    lines += sentences(plain)
    if literal:
        lines.append(".Ed")
    return lines


@tap.test
def proxyctl_1_has_every_command_as_its_help_tells_it():
    page = read("proxyctl.1")
    begin = page.index(BEGIN)
    begin = page.index("\n.\\\"", begin) + 1
    begin = page.index("\n", begin) + 1
    end = page.index(END)
    names = commands()
    tap.ok(len(names) >= 16, names)
    made = "".join(line + "\n" for name in names for line in section(name))
    if os.environ.get("BULKHEAD_UPDATE"):
        with open(os.path.join(DOCS, "proxyctl.1"), "w") as file:
            file.write(page[:begin] + made + page[end:])
        page = read("proxyctl.1")
        end = page.index(END)
    tap.ok(page[begin:end] == made, "docs/proxyctl.1 is not what the help "
           "says; run this test once with BULKHEAD_UPDATE=1")


def rendered(name):
    if not shutil.which("mandoc"):
        tap.skip("no mandoc here (make deps installs it)")
    text = subprocess.run(["mandoc", "-Tascii", os.path.join(DOCS, name)],
                          check=True, capture_output=True,
                          text=True).stdout
    return re.sub(".\b", "", text)


@tap.test
def global_options_of_proxyctl_are_all_there():
    text = output("proxyctl", "--help")
    page = rendered("proxyctl.1").split("COMMANDS")[0]
    tap.equal(sorted(set(OPTION.findall(text.split("\n\n")[-2]))),
              sorted(set(OPTION.findall(page)) - {
                  "--help", "--snapshot", "--docker"}))


@tap.test
def options_of_the_supervisor_are_all_there_and_no_other():
    text = output("bulkhead-supervisor", "--help")
    page = rendered("bulkhead-supervisor.8")
    tap.equal(sorted(set(OPTION.findall(page))),
              sorted(set(OPTION.findall(text))))


@tap.test
def exit_codes_are_the_programs():
    for page, program, args, code in (
            ("bulkhead-supervisor.8", "bulkhead-supervisor", ["--what"], 64),
            ("bulkhead-supervisor.8", "bulkhead-supervisor",
             ["-c", "/nonexistent.ini"], 78),
            ("bulkhead-supervisor.8", "bulkhead-supervisor",
             ["-c", "/nonexistent.ini", "--check"], 1),
            ("proxyctl.1", "proxyctl", ["--what"], 2),
            ("proxyctl.1", "proxyctl",
             ["--socket", "/nonexistent.sock", "status"], 3)):
        done = subprocess.run([procs.binary(program), *args],
                              stdin=subprocess.DEVNULL, capture_output=True)
        tap.equal(done.returncode, code, program + " " + " ".join(args))
        told = read(page).split(".Sh EXIT STATUS")[1].split(".Sh")[0]
        tap.contains(told, ".It %d\n" % code)


@tap.test
def every_page_is_clean_and_what_it_refers_to_is_there():
    tap.ok(len(PAGES) >= 4, PAGES)
    here = {os.path.basename(p) for p in PAGES}
    for path in PAGES:
        with open(path) as file:
            text = file.read()
        for name, number in re.findall(r"^\.Xr (\S+) (\d)", text, re.M):
            tap.contains(here, "%s.%s" % (name, number))
    if not shutil.which("mandoc"):
        tap.skip("no mandoc here (make deps installs it)")
    done = subprocess.run(["mandoc", "-Tlint", *PAGES], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    told = [line for line in done.stdout.splitlines()
            if "referenced manual not found" not in line]
    tap.equal(told, [])


@tap.test
def every_file_of_the_run_folder_is_told():
    fake = engine.FakeSwarm()
    fake.start()
    system = bulkhead.System(fake.socket)
    tap.cleanup(fake.stop)
    tap.cleanup(system.stop)
    system.cluster("blue")
    system.start()
    system.wait_applied("blue")
    page = read("bulkhead-supervisor.8").split(".Sh FILES")[1]
    told = {p.split("/")[0] for p in re.findall(r"^\.It Pa (\S+)", page,
                                                re.M)}
    found = set(os.listdir(system.run_dir))
    tap.equal(sorted(found - told), [], "not told")
    tap.equal(sorted(told - found), [], "not there")


tap.main()
