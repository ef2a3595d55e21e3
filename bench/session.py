"""One fresh manager in one fresh directory, and what is said of the machine that it ran on."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import adapters
import procs
from adapters import base

HERE = Path(__file__).resolve().parent


class Session:
    """A manager and everything that it started, which is killed at the end; its directory is removed."""

    def __init__(self, cls, args, variant="", big_logs=False):
        self.args = args
        self.base = Path(tempfile.mkdtemp(prefix=f"b-{cls.name}-", dir=args.root))
        self.mark = self.base.name
        self.stamps = procs.Stamps(self.base / "stamps")
        try:
            self.m = cls(self.base / "m", self.mark, self.stamps, variant)
        except adapters.Unavailable:
            shutil.rmtree(self.base)
            raise
        self.m.big_logs = big_logs

    def __enter__(self):
        os.chdir(self.base)
        try:
            self.m.open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        left = procs.kill_all(self.mark, self.args.child, self.base)
        os.chdir("/")
        if left:
            print(f"    WARNING: {left} processes left", file=sys.stderr)
        shutil.rmtree(self.base, ignore_errors=True)

    def argv(self, name, *mode, node=False):
        """The command of one load child, which stamps under `name`."""
        head = [shutil.which("node"), str(HERE / "load/child.js")] if node else [str(self.args.child)]
        return [*head, str(self.stamps.path(name)), *mode]

    def services(self, n, prefix="svc", mode=("pause",)):
        names = [f"{prefix}{i:04d}" for i in range(n)]
        return [(name, self.argv(name, *mode)) for name in names]

    def manager_pids(self):
        return [p for p in procs.marked(self.mark) if not procs.is_load_child(p, self.args.child)]

    def live(self, name):
        """Live children of one service."""
        stamp = str(self.stamps.dir / name)
        return [p for p in procs.load_children(self.args.child, self.base) if stamp in procs.cmdline(p)]


def build(directory):
    """Compile the load programs, outside the repository; the path of the child."""
    directory.mkdir(parents=True, exist_ok=True)
    cc = os.environ.get("CC", "cc")
    for program in ("child", "respawn"):
        source, target = HERE / "load" / f"{program}.c", directory / program
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            if subprocess.run([cc, "-O2", "-static", "-o", target, source]).returncode:
                subprocess.run([cc, "-O2", "-o", target, source], check=True)
    os.environ["BENCH_RESPAWN"] = str(directory / "respawn")
    return directory / "child"


def clean(value, words):
    """Keep this machine's paths out of the results: `words` are pairs of a path and what stands for it."""
    if isinstance(value, dict):
        return {k: clean(v, words) for k, v in value.items()}
    if isinstance(value, list):
        return [clean(v, words) for v in value]
    if isinstance(value, str):
        value = re.sub(r"\x1b\[[0-9;]*m", "", value)
        for path, stand_in in words:
            value = value.replace(path, stand_in)
    return value


def busy_pct(seconds=0.5):
    """How busy the machine's CPUs are with other people's work, sampled while ours is quiet."""

    def read():
        with open("/proc/stat") as f:
            ticks = [int(x) for x in f.readline().split()[1:9]]
        return sum(ticks), ticks[3] + ticks[4]

    all_before, idle_before = read()
    time.sleep(seconds)
    all_after, idle_after = read()
    return round(100 * (1 - (idle_after - idle_before) / max(1, all_after - all_before)))


def machine():
    """The machine, as far as it matters to who compares results."""

    def first(path, key):
        with open(path) as f:
            return next((row.split(":", 1)[1].strip() for row in f if row.startswith(key)), "")

    memory_kib = int((first("/proc/meminfo", "MemTotal") or "0").split()[0])
    return {
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "cpu": first("/proc/cpuinfo", "model name"),
        "memory_gib": round(memory_kib / 2**20, 1),
        "python": platform.python_version(),
        "node": base.tool_version(["node", "--version"]),
    }
