"""The phases of the benchmark: what is done to a manager, and what is measured meanwhile."""

import os
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import procs
from session import Session

MS = 1e6
# Those whose users mostly run node programs, and what they are compared with.
NODE_MANAGERS = ("floor", "resume", "pm2", "forever")


def median(xs):
    return statistics.median(xs) if xs else None


def summary(xs, digits=2):
    """Samples in ms."""
    if not xs:
        return None
    return {
        "median": round(median(xs), digits),
        "min": round(min(xs), digits),
        "max": round(max(xs), digits),
        "n": len(xs),
        "samples": [round(x, digits) for x in xs],
    }


# ---------------------------------------------------------------- start


def start(cls, args):
    """The start command's own time, and the time until the child's main() runs."""
    if cls.whole_only:
        return {"add_c": start_whole(cls, args), "up": None}
    with Session(cls, args) as s:
        out = {"add_c": start_new(s, args), "up": start_known(s, args)}
    if cls.quick_cmds:
        with Session(cls, args) as s:
            out["add_quick"] = start_new(s, args, cmds=s.m.quick_cmds)
    if cls.name in NODE_MANAGERS and shutil.which("node"):
        with Session(cls, args) as s:
            out["add_node"] = start_new(s, args, node=True)
    return out


def start_new(s, args, node=False, cmds=None):
    """Services that the manager did not know."""
    command, main = [], []
    period = s.m.scan_period
    for i in range(min(args.reps, 5) if period else args.reps):
        name = f"nodesvc{i}" if node else f"svc{i}"
        time.sleep(random.uniform(0, period) if period else 0.1)
        argv = s.argv(name, "pause", node=node)
        s.m.prepare(name, argv)
        t0, t1 = s.m.timed((cmds or s.m.add_cmds)(name, argv))
        command.append((t1 - t0) / MS)
        main.append((s.stamps.wait(name)[0] - t0) / MS)
    return {"command_ms": summary(command), "to_main_ms": summary(main)}


def start_known(s, args):
    """Services that the manager knows and that are stopped; `start_new` came before."""
    command, main = [], []
    try:
        for i in range(min(args.reps, 5)):
            name = f"svc{i}"
            before = len(s.stamps.read(name))
            time.sleep(1.2 if i == 0 else 0)
            s.m.timed(s.m.stop_cmds(name))
            procs.wait_for(lambda name=name: not s.live(name), 15, what=f"stop of {name}")
            time.sleep(0.3)
            t0, t1 = s.m.timed(s.m.up_cmds(name))
            command.append((t1 - t0) / MS)
            main.append((s.stamps.wait(name, before + 1)[0] - t0) / MS)
    except NotImplementedError:
        return None
    except (procs.Timeout, RuntimeError) as e:
        return {"error": str(e)}
    return {"command_ms": summary(command), "to_main_ms": summary(main)}


def start_whole(cls, args):
    """For a manager that takes services at its own start only."""
    main = []
    for _ in range(args.reps):
        with Session(cls, args) as s:
            argv = s.argv("svc0", "pause")
            s.m.prepare("svc0", argv)
            t0 = procs.now()
            s.m.launch()
            main.append((s.stamps.wait("svc0")[0] - t0) / MS)
    return {"command_ms": None, "to_main_ms": summary(main)}


# ---------------------------------------------------------------- restart


def restart(cls, args):
    """SIGKILL a child that has been up for over 2 s; time until its successor's main()."""
    out = {}
    for variant in [v for v in cls.variants if v != "nolog"]:
        with Session(cls, args, variant) as s:
            todo = s.services(args.kills)
            s.m.mass(todo, 60)
            s.stamps.wait_all([n for n, _ in todo], 60)
            time.sleep(2.5)
            took, lost = [], 0
            for name, _ in todo:
                pid = s.stamps.read(name)[-1][1]
                t0 = procs.now()
                os.kill(pid, 9)
                try:
                    ns, _ = s.stamps.wait(name, 2, timeout=12 if cls.restarts else 3)
                    took.append((ns - t0) / MS)
                except procs.Timeout:
                    lost += 1
                    if lost >= 3:
                        break
                # A polling manager must not be hit at the same point of its period each time.
                time.sleep(0.05 + random.uniform(0, s.m.poll_period()))
            out[variant or "default"] = {"to_main_ms": summary(took, 3), "not_restarted": lost}
    return out


# ---------------------------------------------------------------- scale


def scale(cls, args):
    """Mass start, list and memory at each N; idle cost at 100."""
    out = {}
    for variant in [v for v in cls.variants if v in ("", "nolog")]:
        rows = out[variant or "default"] = {}
        for n in args.sizes:
            if n > cls.max_services:
                rows[str(n)] = {"skipped": f"over the {cls.max_services} this peer is tried with"}
                continue
            row = rows[str(n)] = {}
            try:
                scale_to(row, n, cls, args, variant)
            except (procs.Timeout, RuntimeError) as e:
                row["error"] = str(e)
    return out


def scale_to(row, n, cls, args, variant):
    """Fills `row` as far as it comes."""
    with Session(cls, args, variant) as s:
        todo = s.services(n)
        names = [name for name, _ in todo]
        t0 = s.m.mass(todo, args.mass_timeout)
        t1 = procs.now()
        last = s.stamps.wait_all(names, args.mass_timeout)
        row["mass_to_all_main_s"] = round((last - t0) / 1e9, 3)
        row["mass_command_s"] = round((t1 - t0) / 1e9, 3)
        time.sleep(3)
        if variant == "":
            try:
                row["list"] = measure_list(s, names, args.reps if n < 1000 else 3)
            except NotImplementedError:
                row["list"] = None
            except procs.Timeout as e:
                row["list"] = {"": {"error": str(e)}}
        row["memory"] = measure_memory(s)
        if n == 100 and variant == "":
            time.sleep(2)
            row["idle"] = measure_idle(s, args.idle)


def measure_list(s, names, reps):
    out = {}
    for label, cmd in s.m.list_variants(names):
        wall, client, server = [], [], []
        for _ in range(reps):
            before = procs.activity(s.manager_pids())
            r = s.m.run(cmd, timeout=60)
            after = procs.activity(s.manager_pids())
            if r["rc"] not in (0, 3):
                out[label] = {"error": f"exit {r['rc']}: {s.m.text(cmd)[-300:]}"}
                break
            wall.append(r["wall_ns"] / MS)
            client.append(r["cpu_ns"] / MS)
            server.append(procs.activity_delta(before, after)[0] / MS)
            if sum(wall) > 20000:
                break
        if wall:
            out[label] = {
                "wall_ms": summary(wall),
                "client_cpu_ms": round(median(client), 2),
                "manager_cpu_ms": round(median(server), 2),
            }
    return out


def measure_memory(s):
    pids = s.manager_pids()
    loggers = [p for p in pids if procs.comm(p) in s.m.logger_names]
    out = procs.memory(pids)
    if loggers:
        out["loggers"] = procs.memory(loggers)
    return out


def measure_idle(s, seconds):
    pids = s.manager_pids()
    before = procs.activity(pids)
    time.sleep(seconds)
    after = procs.activity(s.manager_pids())
    cpu, switches = procs.activity_delta(before, after)
    return {
        "seconds": seconds,
        "cpu_ms": round(cpu / MS, 2),
        "context_switches": switches,
        "processes": len(pids),
    }


# ---------------------------------------------------------------- log


def log(cls, args):
    """A child writes 100-byte lines as fast as it can; until the log holds them all."""
    nbytes = min(args.log_bytes, cls.log_bytes)
    rows = []
    with Session(cls, args, big_logs=True) as s:
        for i in range(args.log_reps):
            rows.append(log_once(s, f"spew{i}", nbytes, args.log_timeout))
            if rows[-1]["timed_out"] or cls.whole_only:
                break
            for f in s.m.log_files(f"spew{i}"):  # Give the disk back; the child sleeps from now on.
                os.truncate(f, 0)
    cpu_per_gb = [r["manager_cpu_s"] / (r["sent_bytes"] / 1e9) for r in rows]
    return {
        "runs": rows,
        "median_mb_per_s": median([r["mb_per_s"] for r in rows]),
        "median_cpu_s_per_gb": round(median(cpu_per_gb), 2),
    }


def log_once(s, name, nbytes, timeout):
    argv = s.argv(name, "spew", str(nbytes))
    s.m.prepare(name, argv)
    before = procs.activity(s.manager_pids())
    if s.m.whole_only:
        s.m.launch()
    else:
        for c in s.m.add_cmds(name, argv):
            s.m.run(c)
    begun, _ = s.stamps.wait(name)
    changed, ended = wait_until_quiet(s, name, timeout)
    cpu = procs.activity_delta(before, procs.activity(s.manager_pids()))[0] / 1e9
    files = list(s.m.log_files(name))
    got, lines, first_line = count(files)
    seconds = (changed - begun) / 1e9
    return {
        "sent_bytes": nbytes,
        "seconds": round(seconds, 3),
        "mb_per_s": round(nbytes / 1e6 / seconds, 1),
        "child_blocked_until_s": round((ended - begun) / 1e9, 3) if ended else None,
        "manager_cpu_s": round(cpu, 3),
        "log_bytes": got,
        "log_lines": lines,
        "lines_missing": nbytes // 100 - lines,
        "files": len(files),
        "first_line": first_line,
        "timed_out": not ended,
    }


def wait_until_quiet(s, name, timeout):
    """Until the child has ended its writing and the log has not grown for 1.5 s: (last growth, end of the child)."""
    size, changed, ended = -1, procs.now(), None
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        now = sum(f.stat().st_size for f in s.m.log_files(name) if f.exists())
        t = procs.now()
        if now != size:
            size, changed = now, t
        if not ended and (rows := s.stamps.read(name, "end")):
            ended = rows[0][0]
        if ended and t - changed > 1.5e9:
            break
        time.sleep(0.005)
    return changed, ended


def count(files):
    """Bytes and lines of files, and how the last of them begins."""
    size = lines = 0
    first_line = ""
    for f in files:
        try:
            with open(f, "rb") as h:
                first_line = h.readline(200).decode(errors="replace").strip()[:60]
                h.seek(0)
                while chunk := h.read(1 << 20):
                    size += len(chunk)
                    lines += chunk.count(b"\n")
        except OSError:
            continue
    return size, lines, first_line


# ---------------------------------------------------------------- survive


def survive(cls, args):
    """SIGKILL each kind of manager process; what becomes of the children?"""
    out = []
    while True:
        with Session(cls, args) as s:
            row = survive_one(s, len(out))
        if row is None:
            return out
        out.append(row)
        if "error" in row:
            return out


def survive_one(s, kind):
    """Kills the manager's processes of the given kind, for a silent and a writing child; None when there is none."""
    services = {"quiet": s.argv("quiet", "pause"), "tick": s.argv("tick", "tick", "200")}
    names = list(services)
    s.m.mass(list(services.items()), 30)
    s.stamps.wait_all(names, 30)
    time.sleep(1.5)
    s.m.before_kill()
    settle = 6 if s.m.scan_period else 3
    victims = {n: s.m.victims(n) for n in names}
    if kind >= len(victims["quiet"]):
        return None
    row = {"role": victims["quiet"][kind][0]}
    old = {n: s.live(n) for n in names}
    pids = {v[kind][1] for v in victims.values()}
    if not all(pids):
        return {**row, "error": "process not found"}
    for p in pids:
        os.kill(p, 9)
    time.sleep(settle)
    for n in names:
        live = s.live(n)
        row[n] = {
            "old_child_alive": bool(set(live) & set(old[n])),
            "live_instances": len(live),
            "new_parent": procs.comm(procs.ppid(old[n][0])) if old[n] and procs.alive(old[n][0]) else None,
        }
    row["manager_processes_after"] = sorted({procs.comm(p) for p in s.manager_pids()})
    try:
        s.m.revive()
        time.sleep(settle)
        row["after_manager_restarted"] = {n: len(s.live(n)) for n in names}
        row["list_after"] = s.m.text(s.m.show_cmd(names))[-1200:]
    except (NotImplementedError, RuntimeError, procs.Timeout, OSError) as e:
        row["after_error"] = str(e)
    return row


# ---------------------------------------------------------------- crashloop


def crashloop(cls, args):
    """A child that exits with status 1 at once."""
    out = {}
    for variant in [v for v in cls.variants if v != "nolog"]:
        with Session(cls, args, variant) as s:
            s.m.mass([("crash", s.argv("crash", "crash"))], 30)
            procs.wait_for(lambda s=s: s.stamps.read("crash"), 15, what="first start")
            first = s.stamps.read("crash")[0][0]
            time.sleep(max(0, 10 - (procs.now() - first) / 1e9))
            starts = [ns for ns, _ in s.stamps.read("crash") if ns <= first + 10e9]
            gaps = [(b - a) / MS for a, b in zip(starts, starts[1:], strict=False)]
            row = {
                "starts_in_10_s": len(starts),
                "gaps_ms": [round(g, 1) for g in gaps[:20]],
                "last_gap_ms": round(gaps[-1], 1) if gaps else None,
                "quiet_for_ms": round((first + 10e9 - starts[-1]) / MS),
            }
            try:
                row["state"] = s.m.text(s.m.show_cmd(["crash"]))[-1200:]
            except (NotImplementedError, procs.Timeout):
                row["state"] = None
            out[variant or "default"] = row
    return out


ALL = {f.__name__: f for f in (start, restart, scale, log, survive, crashloop)}


# ---------------------------------------------------------------- baseline


def baseline(args):
    """Floors that need no manager: `setsid child &`, `spew | cat > file`, `spew > file`."""
    directory = Path(tempfile.mkdtemp(prefix="b-baseline-", dir=args.root))
    stamps = procs.Stamps(directory / "stamps")
    env = {**os.environ, procs.MARK: directory.name}
    out = {}
    try:
        wall, main = [], []
        for i in range(args.reps * 3):
            c = f"setsid {args.child} {stamps.path(f's{i}')} pause </dev/null >/dev/null 2>&1 &"
            r = procs.run(["/bin/sh", "-c", c], env)
            wall.append(r["wall_ns"] / MS)
            main.append((stamps.wait(f"s{i}")[0] - r["t0"]) / MS)
        out["setsid_child"] = {"command_ms": summary(wall), "to_main_ms": summary(main)}
        for label, tail in (("spew | cat > file", "| cat >"), ("spew > file", ">")):
            out[label] = baseline_spew(args, env, stamps, tail, directory / "log")
    finally:
        procs.kill_all(directory.name, args.child, directory)
        shutil.rmtree(directory, ignore_errors=True)
    return out


def baseline_spew(args, env, stamps, tail, file):
    seconds, cpus = [], []
    for i in range(args.log_reps):
        stamp = stamps.path(f"{'piped' if '|' in tail else 'direct'}{i}")
        command = f"{args.child} {stamp} spewx {args.log_bytes} {tail} {file}"
        r = procs.run(["/bin/sh", "-c", command], env, timeout=120)
        if file.stat().st_size != args.log_bytes // 100 * 100:
            raise RuntimeError(f"`{command}` wrote {file.stat().st_size} bytes")
        seconds.append(r["wall_ns"] / 1e9)
        cpus.append(r["cpu_ns"] / 1e9)
        file.unlink()
    return {
        "seconds": [round(x, 3) for x in seconds],
        "mb_per_s": round(args.log_bytes / 1e6 / median(seconds), 1),
        "cpu_s_both_ends": round(median(cpus), 3),
    }
