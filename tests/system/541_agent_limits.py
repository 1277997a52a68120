#!/usr/bin/env python3
"""Agent: no process and no descriptor to be had, and a control plane of the
next version: traffic goes on, and it mends itself."""

import os
import pwd
import resource
import signal
import subprocess

import agent
import control
import procs
import tap
import witness

if not os.path.exists("/usr/sbin/nginx"):
    tap.skip_all("no nginx (package nginx-light)")


class Newer(control.Control):
    """Says more than this version knows."""

    def set(self, *arguments, **more):
        with self.lock:
            config = super().set(*arguments, **more)
            for part in (self.manifest, self.manifest["listen"],
                         self.manifest["settings"],
                         self.manifest["files"][0]):
                part["of_the_next_version"] = {"a": [1, None]}
            return config


def most_processes(pid):
    with open("/proc/%d/limits" % pid, encoding="ascii") as f:
        for line in f:
            if line.startswith("Max processes"):
                return line.split()[2]
    raise AssertionError("no limit is told")


def nproc(user, pid, soft):
    """Only the user itself may, where root lacks the capability."""
    who = pwd.getpwnam(user)
    done = subprocess.run(
        ["prlimit", "--pid", str(pid), "--nproc=%s:" % soft],
        user=who.pw_uid, group=who.pw_gid, extra_groups=[],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tap.skip("prlimit: " + done.stderr.strip())


def root_only():
    if os.geteuid() != 0:
        tap.skip("not root")


@tap.test
def where_fork_fails_traffic_goes_on_and_it_is_tried_again():
    root_only()
    if not procs.is_open(os.path.abspath(procs.binary("proxyctl"))):
        tap.skip("nobody cannot reach the programs")
    user = "nobody"
    pwd.getpwnam(user)
    a = agent.Agent(user=user)
    try:
        a.start()
        a.apply(control.files("one"))
        keeper = a.process.pid
        with witness.Witness(a.where, rate=100) as w:
            before = most_processes(keeper)
            nproc(user, keeper, 0)
            old = procs.wait_for(a.worker, 30, "a worker")
            os.kill(old, signal.SIGKILL)
            procs.wait_for(lambda: a.output().count(
                "worker: cannot be started") >= 2, 30, "two vain attempts")
            w.wait_count(50)
            nproc(user, keeper, before)
            procs.wait_for(lambda: a.worker() not in (None, old), 60,
                           "another worker")
            a.apply(control.files("two"))
            a.wait_body("two")
        w.check()
        tap.ok(a.process.alive())
    finally:
        agent.check_log(a.output())
        a.remove()


@tap.test
def without_a_descriptor_traffic_goes_on_and_it_mends_itself():
    a = agent.Agent()
    try:
        a.start()
        a.apply(control.files("one"))
        worker = procs.wait_for(a.worker, 30, "a worker")
        pids = (a.process.pid, worker)
        limits = [resource.prlimit(p, resource.RLIMIT_NOFILE) for p in pids]
        with witness.Witness(a.where, rate=100) as w:
            for pid, limit in zip(pids, limits):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limit[1]))
            config = a.control.set(control.files("two"))
            w.wait_count(100)
            tap.ok(a.process.alive())
            for pid, limit in zip(pids, limits):
                try:
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
                except ProcessLookupError:
                    pass    # another worker, with limits of its own
            a.wait_report(60, state="applied", config=config)
            a.wait_body("two")
        w.check()
    finally:
        agent.check_log(a.output())
        a.remove()


@tap.test
def members_of_the_next_version_are_passed_over():
    a = agent.Agent(server=Newer(port=agent.free_port()))
    try:
        a.start()
        a.apply(control.files("next"))
        a.wait_body("next")
    finally:
        agent.check_log(a.output())
        a.remove()


tap.main()
