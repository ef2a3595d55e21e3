"""`resume` itself, and the floor under every manager."""

import os
import shlex
from pathlib import Path

import procs
from adapters import base


class Floor(base.Manager):
    """respawn.c: fork, exec, waitpid. No control, no state; output straight to a file."""

    name = "floor"
    list_note = "no list command: `ps` on the pids instead"

    def find(self):
        self.respawn = os.environ["BENCH_RESPAWN"]
        self.pids = {}

    def version(self):
        return "respawn.c"

    def add_cmds(self, name, argv):
        command = shlex.join([self.respawn, *argv])
        log = shlex.quote(f"{self.root / name}.log")
        return [["/bin/sh", "-c", f"setsid {command} >{log} 2>&1 </dev/null &"]]

    def mass(self, services, timeout):
        t0 = procs.now()
        for name, argv in services:
            self.pids[name] = procs.spawn([self.respawn, *argv], self.env, self.root / f"{name}.log").pid
        return t0

    def list_cmd(self, names):
        return ["/bin/ps", "-C", "respawn", "-o", "pid,stat,args"]

    def log_files(self, name):
        return [self.root / f"{name}.log"]

    def victims(self, name):
        return [("respawn", procs.ppid(self.stamps.read(name)[-1][1]))]

    def revive(self):
        pass


class Resume(base.Manager):
    """Our own program."""

    name = "resume"
    variants = ("", "fast")
    add_note = "`start` returns once the service has lived for 100 ms; with `--no-wait` as soon as it is launched"
    fast_flags = ("--backoff", "0ms..0ms", "--min-uptime", "0ms", "--max-restarts", "0")

    def find(self):
        self.bin = base.which("resume", "RESUME_BIN")
        self.env["RESUME_HOME"] = str(self.root / "resume")

    def version(self):
        return base.tool_version([self.bin, "--version"])

    def start_cmd(self, name, argv, *options):
        flags = list(options)
        if self.variant == "fast":
            flags += self.fast_flags
        if self.big_logs:
            flags += ["--log-max-size", "8G"]
        return [self.bin, "start", "--name", name, *flags, "--", *argv]

    def add_cmds(self, name, argv):
        return [self.start_cmd(name, argv)]

    def quick_cmds(self, name, argv):
        return [self.start_cmd(name, argv, "--no-wait")]

    def mass(self, services, timeout):
        """The best that there is before a file of services: one command after the other, none of which waits."""
        t0 = procs.now()
        for name, argv in services:
            self.run(self.start_cmd(name, argv, "--no-wait"), check=True, stdout=self.root / "cmd.out")
            if procs.now() - t0 > timeout * 1e9:
                raise procs.Timeout(f"mass start over {timeout:.0f} s")
        return t0

    def up_cmds(self, name):
        return [[self.bin, "start", name]]

    def stop_cmds(self, name):
        return [[self.bin, "stop", name]]

    def list_cmd(self, names):
        return [self.bin, "ls", "--json"]

    def list_variants(self, names):
        return [
            ("ls --no-usage", [self.bin, "ls", "--no-usage"]),
            ("ls", [self.bin, "ls"]),
            ("ls --json", self.list_cmd(names)),
        ]

    def show_cmd(self, names):
        return [self.bin, "ls"]

    def log_files(self, name):
        """The segments of the service's log: plain text, the program's bytes alone."""
        return sorted((Path(self.env["RESUME_HOME"]) / "services" / name / "log").glob("*.log"))

    def victims(self, name):
        return [("supervisor of the service", procs.ppid(self.stamps.read(name)[-1][1]))]

    def revive(self):
        """Nothing has to be done; to look is the most that a person would do."""
        self.run([self.bin, "ls"])
