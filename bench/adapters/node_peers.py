"""pm2 and forever."""

import json
import os

import procs
from adapters import base


class Pm2(base.Manager):
    """One daemon for all services, in node."""

    name = "pm2"
    log_bytes = 256 << 20

    def find(self):
        self.bin = base.which("pm2", "PM2_BIN")
        self.env["PM2_HOME"] = str(self.root / ".pm2")

    def version(self):
        return base.tool_version([self.bin, "--version"], self.env)

    def open(self):
        self.run([self.bin, "ping"], check=True)

    def daemon_pid(self):
        try:
            return int((self.root / ".pm2/pm2.pid").read_text())
        except (OSError, ValueError):
            return 0

    def add_cmds(self, name, argv):
        if os.path.basename(argv[0]) == "node":
            return [[self.bin, "start", argv[1], "--name", name, "--", *argv[2:]]]
        return [[self.bin, "start", argv[0], "--name", name, "--interpreter", "none", "--", *argv[1:]]]

    def up_cmds(self, name):
        return [[self.bin, "start", name]]

    def stop_cmds(self, name):
        return [[self.bin, "stop", name]]

    def mass(self, services, timeout):
        apps = [
            {"name": n, "script": a[0], "args": a[1:], "interpreter": "none", "exec_mode": "fork"} for n, a in services
        ]
        file = self.root / f"mass-{services[0][0]}.json"
        file.write_text(json.dumps({"apps": apps}))
        t0 = procs.now()
        self.run([self.bin, "start", file], timeout=timeout)
        return t0

    def list_cmd(self, names):
        return [self.bin, "jlist"]

    def list_variants(self, names):
        return [("jlist", [self.bin, "jlist"]), ("ls", [self.bin, "ls"])]

    def log_files(self, name):
        return list((self.root / ".pm2/logs").glob(f"{name}-out*.log"))

    def before_kill(self):
        self.run([self.bin, "save"])

    def revive(self):
        self.run([self.bin, "resurrect"])


class Forever(base.Manager):
    """One monitor a service, in node."""

    name = "forever"
    variants = ("", "fast")
    max_services = 100
    log_bytes = 256 << 20
    up_note = "forever forgets a stopped service: no such verb"

    def find(self):
        self.bin = base.which("forever", "FOREVER_BIN")
        self.env["FOREVER_ROOT"] = str(self.root / ".forever")

    def version(self):
        return base.tool_version([self.bin, "--version"], self.env)

    def options(self, name):
        o = [
            "--uid",
            name,
            "-a",
            "-l",
            self.root / f"{name}.fl",
            "-o",
            self.root / f"{name}.log",
            "-e",
            self.root / f"{name}.err",
        ]
        if self.variant == "fast":
            o += ["--minUptime", "1", "--spinSleepTime", "1"]  # 0 means "not set" to forever: it then gives up.
        return o

    def add_cmds(self, name, argv):
        # `forever start -c COMMAND SCRIPT`: SCRIPT must be an existing file; the stamp file serves.
        if os.path.basename(argv[0]) == "node":
            return [[self.bin, "start", *self.options(name), *argv[1:]]]
        return [[self.bin, "start", *self.options(name), "-c", argv[0], *argv[1:]]]

    def list_cmd(self, names):
        return [self.bin, "list"]

    def log_files(self, name):
        return [self.root / f"{name}.log"]

    def victims(self, name):
        return [("monitor of the service", procs.ppid(self.stamps.read(name)[-1][1]))]

    def revive(self):
        self.run([self.bin, "list"])
