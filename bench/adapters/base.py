"""What an adapter is: how a manager is started, asked and found.

An adapter describes what a user of that manager would do:

    open()              start the daemon or scanner, if there is one
    prepare(name, argv) write the files of a service that the manager did not know; not timed
    add_cmds(…)         the commands that start it; timed
    up_cmds(name)       start again a service that is known and stopped
    mass(services, …)   start many at once, the best way that the manager offers
    list_cmd(names)     show all services

`variant` names a change of settings: "" (the manager's defaults), "fast" (the quickest restart that it can be set to),
"nolog" (no logger process, where loggers are separate processes).
"""

import os
import shutil
import subprocess
from pathlib import Path

import procs


class Unavailable(Exception):
    """The manager is not installed here."""


def which(tool, env_var=None):
    """A peer's program: from its own environment variable, else PATH."""
    found = os.environ.get(env_var) if env_var else None
    found = found or shutil.which(tool)
    if not found or not os.access(found, os.X_OK):
        raise Unavailable(f"{tool} not found (PATH{' or ' + env_var if env_var else ''})")
    return os.path.abspath(found)


class Manager:
    """One manager in one directory. What raises NotImplementedError is left out of the results."""

    name = ""
    variants = ("",)  # Those that mean something for this manager.
    max_services = 1000  # The most services that it is tried with.
    log_bytes = 1 << 30  # The most bytes of the log phase.
    restarts = True  # Whether it restarts a crashed child at all.
    scan_period = 0  # Seconds between two looks for new services.
    whole_only = False  # Whether it takes services at its own start only: then it has `launch()`.
    quick_cmds = None  # `add_cmds` that do not wait for the service to be up, where there is such a choice.
    up_note = add_note = list_note = ""
    logger_names = ()  # Names of processes that are loggers.

    def __init__(self, root, mark, stamps, variant=""):
        self.root = Path(root)
        self.root.mkdir(parents=True, exist_ok=True)
        self.stamps = stamps
        self.variant = variant
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PM2_", "npm_"))}
        self.env[procs.MARK] = mark
        self.env["HOME"] = str(self.root)
        self.big_logs = False  # Rotation off or high, for the log phase.
        self.daemon = None
        self.find()

    # To be filled in by each manager.

    def find(self):
        """Find the programs; raise Unavailable."""

    def version(self):
        return ""

    def open(self):
        pass

    def prepare(self, name, argv):
        pass

    def add_cmds(self, name, argv):
        raise NotImplementedError

    def up_cmds(self, name):
        raise NotImplementedError

    def stop_cmds(self, name):
        raise NotImplementedError

    def list_cmd(self, names):
        raise NotImplementedError

    def list_variants(self, names):
        """[(label, argv)]: the first is the one compared."""
        return [("", self.list_cmd(names))]

    def poll_period(self):
        """Seconds between two looks at the children, for a manager that polls."""
        return 0

    def show_cmd(self, names):
        """The list for human eyes."""
        return self.list_variants(names)[-1][1]

    def log_files(self, name):
        raise NotImplementedError

    def before_kill(self):
        """What a careful user did before the manager was killed."""

    def victims(self, name):
        """[(role, pid)] for the survival phase, the most central first."""
        return [("daemon", self.daemon_pid())]

    def daemon_pid(self):
        return self.daemon.pid if self.daemon else 0

    def revive(self):
        """What a user does after the daemon died."""
        self.open()

    # Shared.

    def run(self, argv, timeout=60.0, **kw):
        return procs.run(argv, self.env, timeout=timeout, **kw)

    def text(self, argv, timeout=60.0):
        out = self.root / "text.out"
        self.run(argv, timeout=timeout, stdout=out)
        return out.read_text(errors="replace")

    def timed(self, cmds):
        """Runs the commands, which must succeed; (begin, end) in ns."""
        t0 = procs.now()
        for c in cmds:
            self.run(c, check=True, stdout=self.root / "cmd.out")
        return t0, procs.now()

    def mass(self, services, timeout):
        """Start many; the time of the begin. Here: one command after the other."""
        for name, argv in services:
            self.prepare(name, argv)
        t0 = procs.now()
        for name, argv in services:
            for c in self.add_cmds(name, argv):
                self.run(c)
            if procs.now() - t0 > timeout * 1e9:
                raise procs.Timeout(f"mass start over {timeout:.0f} s")
        return t0


def tool_version(argv, env=None):
    """The last line of what `argv` prints, or nothing."""
    try:
        p = subprocess.run(argv, capture_output=True, text=True, timeout=20, env=env)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    rows = (p.stdout.strip() or p.stderr.strip()).splitlines()
    return rows[-1].strip() if rows else ""


def deb_version(package):
    return tool_version(["dpkg-query", "-W", "-f", "${Version}", package])
