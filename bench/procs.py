"""Process facts from /proc, and commands run under a stopwatch.

Every command the harness starts carries BENCH_MARK=<unique> in its environment.
Daemons and supervisors inherit it, so the processes of one run can be found,
counted and, at the end, killed without touching anything else on the machine.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

MARK = "BENCH_MARK"


def now():
    """CLOCK_MONOTONIC in ns: the clock the load children stamp with."""
    return time.monotonic_ns()


def _read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def all_pids():
    return [int(p) for p in os.listdir("/proc") if p.isdigit()]


def cmdline(pid):
    return [a.decode(errors="replace") for a in _read(f"/proc/{pid}/cmdline").split(b"\0") if a]


def comm(pid):
    return _read(f"/proc/{pid}/comm").decode(errors="replace").strip()


def stat_fields(pid):
    raw = _read(f"/proc/{pid}/stat")
    return raw[raw.rfind(b")") + 2 :].split() if raw else []


def ppid(pid):
    f = stat_fields(pid)
    return int(f[1]) if f else 0


def alive(pid):
    f = stat_fields(pid)
    return bool(f) and f[0] not in (b"Z", b"X")


def exe(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def is_load_child(pid, child_bin):
    if exe(pid) == str(child_bin):
        return True
    argv = cmdline(pid)
    return len(argv) > 1 and os.path.basename(argv[1]) == "child.js"


def marked(mark):
    """All live processes of this run: their environment holds the mark, as a variable or in a path of this run."""
    want = mark.encode()
    me = os.getpid()
    return [p for p in all_pids() if p != me and want in _read(f"/proc/{p}/environ") and alive(p)]


def load_children(child_bin, root):
    """Load children of this run, also those whose manager cleaned the environment."""
    root = str(root)
    return [
        p
        for p in all_pids()
        if is_load_child(p, child_bin) and any(a.startswith(root) for a in cmdline(p)) and alive(p)
    ]


def memory(pids):
    """Sums over pids, in KiB: PSS, USS (private), page tables, and the number of processes."""
    total = {"pss_kb": 0, "uss_kb": 0, "pte_kb": 0, "procs": 0}
    for pid in pids:
        rollup = _read(f"/proc/{pid}/smaps_rollup").decode()
        if not rollup:
            continue
        total["procs"] += 1
        for row in rollup.splitlines():
            key, _, rest = row.partition(":")
            if key == "Pss":
                total["pss_kb"] += int(rest.split()[0])
            elif key in ("Private_Clean", "Private_Dirty"):
                total["uss_kb"] += int(rest.split()[0])
        for row in _read(f"/proc/{pid}/status").decode(errors="replace").splitlines():
            if row.startswith("VmPTE:"):
                total["pte_kb"] += int(row.split()[1])
    return total


def activity(pids):
    """{pid: (cpu ns, context switches)} summed over threads."""
    out = {}
    for pid in pids:
        cpu = switches = 0
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for t in tasks:
            sched = _read(f"/proc/{pid}/task/{t}/schedstat").split()
            cpu += int(sched[0]) if sched else 0
            for row in _read(f"/proc/{pid}/task/{t}/status").splitlines():
                if b"ctxt_switches" in row:
                    switches += int(row.split()[1])
        out[pid] = (cpu, switches)
    return out


def activity_delta(before, after):
    cpu = sum(c - before.get(p, (0, 0))[0] for p, (c, _) in after.items())
    switches = sum(s - before.get(p, (0, 0))[1] for p, (_, s) in after.items())
    return cpu, switches


class Timeout(Exception):
    pass


def run(argv, env, stdout="/dev/null", timeout=60.0, check=False):
    """Run argv to its end. Returns dict(rc, wall_ns, cpu_ns, t0): CPU is its own and its reaped children's."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(stdout), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    t0 = now()
    pid = os.posix_spawn(argv[0], [str(a) for a in argv], env, file_actions=actions)
    deadline = t0 + int(timeout * 1e9)
    old = signal.signal(signal.SIGALRM, lambda *a: os.kill(pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        _, status, usage = os.wait4(pid, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    t1 = now()
    if t1 > deadline:
        raise Timeout(f"{argv[0]} {' '.join(map(str, argv[1:4]))} ran over {timeout:.0f} s")
    rc = os.waitstatus_to_exitcode(status)
    if check and rc:
        text = _read(stdout).decode(errors="replace")[-600:] if stdout != "/dev/null" else ""
        raise RuntimeError(f"{' '.join(map(str, argv))}: exit {rc}: {text}")
    return {"rc": rc, "wall_ns": t1 - t0, "t0": t0, "cpu_ns": int((usage.ru_utime + usage.ru_stime) * 1e9)}


def spawn(argv, env, stdout="/dev/null", cwd=None):
    """Start argv as a daemon of the harness (new session) and return its pid."""
    with open(stdout, "ab") as out:
        return subprocess.Popen(
            [str(a) for a in argv],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def wait_for(predicate, timeout, step=0.002, what="condition"):
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {timeout:.0f} s")
        time.sleep(step)


class Stamps:
    """The stamp files of one run: one per service, appended to by its children."""

    def __init__(self, directory):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        p = self.dir / name
        if not p.exists():
            p.touch()
        return p

    def read(self, name, what="start"):
        """[(ns, pid)] in order."""
        rows = []
        for row in _read(self.dir / name).decode().splitlines():
            f = row.split()
            if len(f) == 3 and f[2] == what:
                rows.append((int(f[0]), int(f[1])))
        return rows

    def wait(self, name, count=1, timeout=30.0, what="start"):
        """Wait until `count` stamps are there; the last of them."""

        def ready():
            rows = self.read(name, what)
            return rows if len(rows) >= count else None

        return wait_for(ready, timeout, what=f"{what} stamp {count} of {name}")[count - 1]

    def wait_all(self, names, timeout):
        """Wait until every service has started once; the time of the last first start."""
        missing = set(names)
        last = 0
        deadline = time.monotonic() + timeout
        while missing:
            for n in list(missing):
                try:
                    if os.stat(self.dir / n).st_size == 0:
                        continue
                except OSError:
                    continue
                rows = self.read(n)
                if rows:
                    last = max(last, rows[0][0])
                    missing.discard(n)
            if not missing:
                break
            if time.monotonic() > deadline:
                raise Timeout(f"{len(missing)} of {len(names)} services not up within {timeout:.0f} s")
            time.sleep(0.01)
        return last


def kill_all(mark, child_bin, root, rounds=60):
    """Kill every process of the run; managers first so that they restart nothing."""
    for _ in range(rounds):
        victims = set(marked(mark)) | set(load_children(child_bin, root))
        if not victims:
            return 0
        # Stopped first, so that no supervisor replaces a child while we go through the list.
        for sig in (signal.SIGSTOP, signal.SIGKILL):
            for p in victims:
                try:
                    os.kill(p, sig)
                except OSError:
                    pass
        while True:  # Reap what is ours.
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
        time.sleep(0.05)
    return len(set(marked(mark)) | set(load_children(child_bin, root)))
