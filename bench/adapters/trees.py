"""runit, s6 and daemontools: supervision trees."""

import os
import shlex

import procs
from adapters import base


class Tree(base.Manager):
    """A supervision tree: a scanner, a supervisor and a logger process for each service."""

    variants = ("", "nolog")
    supervisor = scanner = ""

    def dirs(self):
        self.sv = self.root / "sv"
        self.scan = self.root / "service"
        self.sv.mkdir(exist_ok=True)
        self.scan.mkdir(exist_ok=True)

    def log_run(self, logdir):
        raise NotImplementedError

    def prepare(self, name, argv):
        d = self.sv / name
        d.mkdir()
        logged = self.variant != "nolog"
        out = "exec 2>&1\n" if logged else ""
        self.script(d / "run", f"#!/bin/sh\n{out}exec {shlex.join(map(str, argv))}\n")
        if logged:
            (d / "log").mkdir()
            logdir = self.root / "logs" / name
            logdir.mkdir(parents=True)
            self.script(d / "log/run", f"#!/bin/sh\nexec {self.log_run(logdir)}\n")

    @staticmethod
    def script(path, text):
        path.write_text(text)
        path.chmod(0o755)

    def link(self, name):
        return ["/bin/ln", "-s", self.sv / name, self.scan / name]

    def add_cmds(self, name, argv):
        return [self.link(name)]

    def mass(self, services, timeout):
        for name, argv in services:
            self.prepare(name, argv)
        t0 = procs.now()
        for name, _ in services:
            os.symlink(self.sv / name, self.scan / name)
        self.rescan()
        return t0

    def rescan(self):
        pass

    def log_files(self, name):
        d = self.root / "logs" / name
        return [p for p in d.iterdir() if p.name == "current" or p.name.startswith("@")] if d.exists() else []

    def victims(self, name):
        sup = procs.ppid(self.stamps.read(name)[-1][1])
        rows = [(self.scanner, self.daemon_pid()), (f"{self.supervisor} of the service", sup)]
        loggers = [
            p
            for p in procs.marked(self.env[procs.MARK])
            if procs.comm(p) in self.logger_names and any(a.endswith(f"/logs/{name}") for a in procs.cmdline(p))
        ]
        return rows + [(f"{procs.comm(p)} of the service", p) for p in loggers]


class Runit(Tree):
    """runsvdir over runsv."""

    name = "runit"
    log_bytes = 256 << 20
    scanner, supervisor = "runsvdir", "runsv"
    logger_names = ("svlogd",)
    scan_period = 5
    add_note = "symlink into the directory that runsvdir scans every 5 s"

    def find(self):
        self.svbin = base.which("sv", "RUNIT_SV_BIN")
        self.dirbin = base.which("runsvdir", "RUNSVDIR_BIN")
        self.runsv = base.which("runsv")
        base.which("svlogd")

    def version(self):
        return base.deb_version("runit")

    def open(self):
        self.dirs()
        self.daemon = procs.spawn([self.dirbin, "-P", self.scan], self.env, self.root / "daemon.out")

    def log_run(self, logdir):
        (logdir / "config").write_text("s0\n" if self.big_logs else "s1000000\nn10\n")
        return f"svlogd {shlex.quote(str(logdir))}"

    def up_cmds(self, name):
        return [[self.svbin, "start", self.scan / name]]

    def stop_cmds(self, name):
        return [[self.svbin, "stop", self.scan / name]]

    def list_cmd(self, names):
        return [self.svbin, "status", *[self.scan / n for n in names]]


class RunitDirect(Runit):
    """One runsv per service, started by hand with setsid: no scanner. The nearest shape to ours."""

    name = "runsv"
    variants = ("",)
    scan_period = 0
    add_note = "`setsid runsv DIR &` directly, no runsvdir"

    def open(self):
        self.dirs()

    def add_cmds(self, name, argv):
        return [
            [
                "/bin/sh",
                "-c",
                f"ln -s {self.sv / name} {self.scan / name}; setsid runsv {self.scan / name} "
                f">/dev/null 2>&1 </dev/null &",
            ]
        ]

    def mass(self, services, timeout):
        for name, argv in services:
            self.prepare(name, argv)
        t0 = procs.now()
        for name, _ in services:
            os.symlink(self.sv / name, self.scan / name)
            procs.spawn([self.runsv, self.scan / name], self.env)
        return t0

    def victims(self, name):
        return super().victims(name)[1:]

    def revive(self):
        pass


class S6(Tree):
    """s6-svscan over s6-supervise."""

    name = "s6"
    scanner, supervisor = "s6-svscan", "s6-supervise"
    logger_names = ("s6-log",)
    add_note = "symlink, then `s6-svscanctl -a`"
    list_note = "s6-svstat takes one directory: a /bin/sh loop over all of them"

    def find(self):
        for t in ("s6-svscan", "s6-svscanctl", "s6-svc", "s6-svstat", "s6-log"):
            setattr(self, t.replace("-", "_"), base.which(t))

    def version(self):
        return base.deb_version("s6")

    def open(self):
        self.dirs()
        self.daemon = procs.spawn([self.s6_svscan, "-c", "4000", self.scan], self.env, self.root / "daemon.out")
        procs.wait_for(lambda: (self.scan / ".s6-svscan/control").exists(), 10, 0.01, "s6-svscan")

    def log_run(self, logdir):
        rotate = "s268435455 n20" if self.big_logs else "n10 s1000000"
        return f"s6-log {rotate} {shlex.quote(str(logdir))}"

    def add_cmds(self, name, argv):
        return [self.link(name), [self.s6_svscanctl, "-a", self.scan]]

    def rescan(self):
        self.run([self.s6_svscanctl, "-a", self.scan])

    def up_cmds(self, name):
        return [[self.s6_svc, "-u", "-wu", self.scan / name]]

    def stop_cmds(self, name):
        return [[self.s6_svc, "-d", "-wd", self.scan / name]]

    def list_cmd(self, names):
        return ["/bin/sh", "-c", f'for d in {shlex.quote(str(self.scan))}/*; do {self.s6_svstat} "$d"; done']


class Daemontools(Tree):
    """svscan over supervise."""

    name = "daemontools"
    log_bytes = 256 << 20
    scanner, supervisor = "svscan", "supervise"
    logger_names = ("multilog",)
    scan_period = 5
    add_note = "symlink into the directory that svscan scans every 5 s"

    def find(self):
        for t in ("svscan", "svc", "svstat", "multilog"):
            setattr(self, t, base.which(t))

    def version(self):
        return base.deb_version("daemontools")

    def open(self):
        self.dirs()
        self.daemon = procs.spawn([self.svscan, self.scan], self.env, self.root / "daemon.out", cwd=self.scan)

    def log_run(self, logdir):
        rotate = "s16777215 n99" if self.big_logs else "n10 s1000000"
        return f"multilog {rotate} {shlex.quote(str(logdir))}"

    def up_cmds(self, name):
        return [[self.svc, "-u", self.scan / name]]

    def stop_cmds(self, name):
        return [[self.svc, "-d", self.scan / name]]

    def list_cmd(self, names):
        return [self.svstat, *[self.scan / n for n in names]]
