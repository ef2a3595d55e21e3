#!/usr/bin/env python3
"""Process manager benchmark: latency, memory, idle cost, logs, survival. See README.md."""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import adapters
import phases
import procs
import table
from session import HERE, Session, build, busy_pct, clean, machine


def parser():
    temporary = Path(tempfile.gettempdir())
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument(
        "managers", nargs="*", help=f"of: baseline {' '.join(adapters.ALL)}; default: all that are installed"
    )
    p.add_argument("--phases", default=",".join(phases.ALL), help="default: %(default)s")
    p.add_argument("--sizes", default="1,10,100,1000", help="service counts of the scale phase")
    p.add_argument("--reps", type=int, default=7)
    p.add_argument("--kills", type=int, default=20, help="children killed in the restart phase")
    p.add_argument("--idle", type=float, default=20.0, help="seconds of the idle measurement")
    p.add_argument("--log-bytes", type=int, default=1 << 30, help="cap; slow peers have a lower one of their own")
    p.add_argument("--log-reps", type=int, default=3)
    p.add_argument("--log-timeout", type=float, default=60.0)
    p.add_argument("--mass-timeout", type=float, default=120.0)
    p.add_argument("--budget", type=float, default=600.0, help="seconds per manager; later phases are left out over it")
    p.add_argument("--out", type=Path, default=HERE / "results")
    p.add_argument(
        "--root",
        type=Path,
        default=Path(os.environ.get("BENCH_ROOT", temporary)),
        help="where the managers' state and logs go (BENCH_ROOT)",
    )
    p.add_argument("--build", type=Path, default=Path(os.environ.get("BENCH_BUILD", temporary / "process-bench-build")))
    p.add_argument("--nice", type=int, default=0, help="niceness of the harness and all it starts; root may go below 0")
    p.add_argument("--list", action="store_true", help="say which managers are installed, and stop")
    p.add_argument("--table", action="store_true", help="only make the table of the results that are there")
    return p


def parse():
    p = parser()
    args = p.parse_args()
    args.sizes = [int(x) for x in args.sizes.split(",")]
    args.phases = args.phases.split(",")
    args.managers = args.managers or ["baseline", *adapters.ALL]
    args.out = args.out.resolve()
    args.root = args.root.resolve()
    if unknown := [x for x in args.managers if x != "baseline" and x not in adapters.ALL]:
        p.error(f"unknown manager: {', '.join(unknown)}")
    if unknown := [x for x in args.phases if x not in phases.ALL]:
        p.error(f"unknown phase: {', '.join(unknown)}")
    return args


def show_managers(args):
    for name, cls in adapters.ALL.items():
        try:
            # Asking for a version can start a daemon (pm2), hence the clearing up.
            s = Session(cls, args)
            print(f"{name:12} {s.m.version()}")
            s.__exit__()
        except adapters.Unavailable as e:
            print(f"{name:12} -- {e}")


def write(file, result, words):
    file.write_text(json.dumps(clean(result, words), indent=1, ensure_ascii=False) + "\n")


def measure_baseline(args, words):
    busy = busy_pct()
    print(f"== baseline  busy {busy}%", flush=True)
    result = {
        "machine": machine(),
        "when": time.strftime("%Y-%m-%d"),
        "machine_busy_before_pct": busy,
        "nice": os.nice(0),
        **phases.baseline(args),
    }
    write(args.out / "baseline.json", result, words)


def measure(name, args, words):
    """All phases of one manager. Phases measured in an earlier run stay in its file."""
    cls = adapters.ALL[name]
    file = args.out / f"{name}.json"
    result = json.loads(file.read_text()) if file.exists() else {}
    try:
        s = Session(cls, args)
        result.update(manager=name, version=s.m.version(), machine=machine(), when=time.strftime("%Y-%m-%d"))
        result["notes"] = {k: getattr(cls, k) for k in ("add_note", "up_note", "list_note") if getattr(cls, k)}
        s.__exit__()
    except adapters.Unavailable as e:
        print(f"== {name}: skipped: {e}", flush=True)
        return
    print(f"== {name} {result['version']}", flush=True)
    begun = time.monotonic()
    for phase in args.phases:
        if time.monotonic() - begun > args.budget:
            result[phase] = {"error": "left out: over the time budget"}
            print(f"   {phase:10} left out: over the time budget", flush=True)
            continue
        busy = busy_pct()
        t = time.monotonic()
        note = ""
        try:
            result[phase] = phases.ALL[phase](cls, args)
        except (procs.Timeout, RuntimeError, OSError, NotImplementedError) as e:
            note = f"{type(e).__name__}: {e}"
            result[phase] = {"error": note}
        took = time.monotonic() - t
        result.setdefault("conditions", {})[phase] = {
            "seconds": round(took, 1),
            "machine_busy_before_pct": busy,
            "machine_busy_after_pct": busy_pct(),
            "nice": os.nice(0),
        }
        print(f"   {phase:10} {took:6.1f} s  busy {busy}% {note[:200]}", flush=True)
        write(file, result, words)


def main():
    args = parse()
    if args.table:
        print(table.write(args.out))
        return
    os.nice(args.nice)
    args.root.mkdir(parents=True, exist_ok=True)
    args.child = build(args.build.resolve())
    if args.list:
        show_managers(args)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    words = [
        (str(args.child.parent), "$BUILD"),
        (str(HERE), "$BENCH"),
        (str(args.root), "$ROOT"),
        (str(Path.home()), "~"),
    ]
    for name in args.managers:
        if name == "baseline":
            measure_baseline(args, words)
        else:
            measure(name, args, words)
    print(table.write(args.out))


if __name__ == "__main__":
    main()
