"""pueue, pitchfork and horust."""

import json
import os
import shlex

import procs
from adapters import base


class Pueue(base.Manager):
    """A task queue; it restarts nothing by itself."""

    name = "pueue"
    restarts = False
    add_note = "a task queue: `pueue add --immediate`"

    def find(self):
        self.cli = base.which("pueue", "PUEUE_BIN")
        self.d = base.which("pueued", "PUEUED_BIN")
        self.env.pop("XDG_RUNTIME_DIR", None)
        self.env["PUEUE_CONFIG_PATH"] = str(self.root / "pueue.yml")
        self.ids = {}

    def version(self):
        return base.tool_version([self.cli, "--version"])

    def open(self):
        (self.root / "pueue.yml").write_text(
            f"shared:\n  pueue_directory: {self.root}/pueue\n  runtime_directory: {self.root}/pueue\n"
            "  use_unix_socket: true\nclient: {}\ndaemon: {}\n"
        )
        (self.root / "pueue").mkdir(exist_ok=True)
        self.daemon = procs.spawn([self.d], self.env, self.root / "daemon.out")
        procs.wait_for(lambda: self.run([self.cli, "status"])["rc"] == 0, 20, 0.05, "pueued")
        self.run([self.cli, "parallel", "3000"], check=True)

    def add_cmds(self, name, argv):
        self.ids[name] = len(self.ids)
        return [[self.cli, "add", "--immediate", "--escape", "--", *argv]]

    def up_cmds(self, name):
        return [[self.cli, "restart", "--in-place", "--immediate", str(self.ids[name])]]

    def stop_cmds(self, name):
        return [[self.cli, "kill", str(self.ids[name])], ["/bin/sleep", "0.5"]]

    def list_cmd(self, names):
        return [self.cli, "status", "--json"]

    def list_variants(self, names):
        return [("status --json", self.list_cmd(names)), ("status", [self.cli, "status"])]

    def log_files(self, name):
        return [self.root / "pueue/task_logs" / f"{self.ids[name]}.log"]


class Pitchfork(base.Manager):
    """Daemons for a project's folder. This adapter has never run: see the README."""

    name = "pitchfork"
    variants = ("", "fast")
    max_services = 100
    log_bytes = 64 << 20

    def find(self):
        self.bin = base.which("pitchfork", "PITCHFORK_BIN_PATH")
        for k in list(self.env):
            if k.startswith("XDG_"):
                del self.env[k]

    def version(self):
        return base.tool_version([self.bin, "--version"], self.env)

    def open(self):
        if self.variant == "fast":
            self.env["PITCHFORK_RESTART_DELAY"] = "0s"
        self.run([self.bin, "supervisor", "start"])
        procs.wait_for(lambda: self.run([self.bin, "list"])["rc"] == 0, 20, 0.05, "pitchfork supervisor")

    add_note = "`pitchfork run` waits for its ready check: 3 s by default, `--delay 0` here"

    def add_cmds(self, name, argv):
        return [[self.bin, "run", name, "--delay", "0", "--retry", "1000", "--", *argv]]

    def up_cmds(self, name):
        return [[self.bin, "start", name]]

    def stop_cmds(self, name):
        return [[self.bin, "stop", name]]

    def list_cmd(self, names):
        return [self.bin, "list"]

    def daemon_pid(self):
        for p in procs.marked(self.env[procs.MARK]):
            argv = procs.cmdline(p)
            if argv and os.path.basename(argv[0]) == "pitchfork" and "supervisor" in argv:
                return p
        return 0

    def log_files(self, name):
        return [p for p in self.root.rglob("*") if p.is_file() and name in str(p) and p.suffix == ".log"]


class Horust(base.Manager):
    """Reads its services at its own start only: no adding, one toml file for each. This adapter has never run."""

    name = "horust"
    whole_only = True
    variants = ("", "fast")
    add_note = "no way to add a service to a running horust: daemon start included"
    list_note = "horustctl shows one service only"

    def find(self):
        self.bin = base.which("horust", "HORUST_BIN")
        self.dir = self.root / "services"
        self.dir.mkdir(exist_ok=True)

    def version(self):
        return base.tool_version([self.bin, "--version"])

    def prepare(self, name, argv):
        rotate = "" if not self.big_logs else 'stdout-rotate-size = "8GB"\n'
        (self.dir / f"{name}.toml").write_text(
            f'command = {json.dumps(shlex.join(map(str, argv)))}\nstdout = "{self.root}/{name}.log"\n{rotate}'
            '[restart]\nstrategy = "always"\n[environment]\nkeep-env = true\n'
        )

    def launch(self):
        self.daemon = procs.spawn(
            [self.bin, "--services-path", self.dir, "--uds-folder-path", self.root], self.env, self.root / "daemon.out"
        )

    def mass(self, services, timeout):
        for name, argv in services:
            self.prepare(name, argv)
        t0 = procs.now()
        self.launch()
        return t0

    def log_files(self, name):
        return list(self.root.glob(f"{name}.log*"))

    def revive(self):
        self.launch()
