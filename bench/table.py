"""The markdown tables of results/*.json."""

import json
import re
from pathlib import Path

import budgets
from figures import SIZES, get, grid, num, slope

ORDER = (
    "floor",
    "resume",
    "runsv",
    "runit",
    "s6",
    "daemontools",
    "pm2",
    "forever",
    "supervisor",
    "circus",
    "pueue",
    "pitchfork",
    "horust",
)


def stat(s):
    """Median, and minimum in brackets."""
    return f"{num(s['median'])} ({num(s['min'])})" if s else "–"


def mib(kib):
    return "–" if kib is None else num(kib / 1024)


def scale_note(d, n, variant="default"):
    """Why there is no figure."""
    row = get(d, "scale", variant, str(n)) or {}
    if "skipped" in row:
        return "not tried"
    return "failed" if "error" in row else "–"


def start(ds):
    columns = (
        ("new service: command", "add_c", "command_ms"),
        ("new service: to main()", "add_c", "to_main_ms"),
        ("without waiting: command", "add_quick", "command_ms"),
        ("known service: command", "up", "command_ms"),
        ("known service: to main()", "up", "to_main_ms"),
        ("node child: to main()", "add_node", "to_main_ms"),
    )
    rows = [[name, *(stat(get(d, "start", kind, what)) for _, kind, what in columns)] for name, d in ds]
    return grid(["manager", *(title for title, _, _ in columns)], rows)


def restart_cell(r):
    if not r:
        return "–"
    s = r["to_main_ms"]
    if not s:
        return "never restarted"
    lost = f", {r['not_restarted']} lost" if r["not_restarted"] else ""
    return f"{stat(s)} max {num(s['max'])}{lost}"


def restart(ds):
    rows = [[name, *(restart_cell(get(d, "restart", v)) for v in ("default", "fast"))] for name, d in ds]
    return grid(["manager", "default settings", "fastest settings"], rows)


def list_cell(d, size, label):
    r = get(d, "scale", "default", size, "list", label)
    if r and "wall_ms" in r:
        return f"{num(r['wall_ms']['median'])} / {num(r['client_cpu_ms'] + r['manager_cpu_ms'])}"
    return "failed" if r else scale_note(d, size)


def listing(ds):
    rows = []
    for name, d in ds:
        labels = []
        for size in SIZES:
            labels += [k for k in (get(d, "scale", "default", size, "list") or {}) if k not in labels]
        for label in labels:
            rows.append([f"{name} {label}".strip(), *(list_cell(d, size, label) for size in SIZES)])
    return grid(["manager", *(f"N={n}" for n in SIZES)], rows)


def memory(ds):
    rows = []
    for name, d in ds:
        for variant in ("default", "nolog"):
            if not get(d, "scale", variant):
                continue
            cells = []
            for size in SIZES:
                m = get(d, "scale", variant, size, "memory")
                cells.append(f"{mib(m['pss_kb'])} / {mib(m['uss_kb'])}" if m else scale_note(d, size, variant))
            per_service = slope(get(d, "scale", variant))
            figures = [num(per_service.get(k)) for k in ("pss_kb", "uss_kb", "pte_kb")]
            rows.append([name + (" without loggers" if variant == "nolog" else ""), *cells, *figures])
    each = ["PSS KiB/service", "USS KiB/service", "page tables KiB/service"]
    return grid(["manager", *(f"N={n}" for n in SIZES), *each], rows)


def idle(ds):
    rows = []
    for name, d in ds:
        r = get(d, "scale", "default", "100", "idle")
        rows.append([name, *([r["processes"], r["context_switches"], num(r["cpu_ms"])] if r else ["–"] * 3)])
    seconds = next((get(d, "scale", "default", "100", "idle", "seconds") for _, d in ds), None) or 20
    return grid(["manager", "processes", f"context switches in {seconds:.0f} s", f"CPU ms in {seconds:.0f} s"], rows)


def logs(ds):
    rows = []
    for name, d in ds:
        runs = get(d, "log", "runs")
        if not runs:
            rows.append([name, get(d, "log", "error") or "–", *[""] * 6])
            continue
        rows.append(
            [
                name,
                num(runs[0]["sent_bytes"] / 2**20),
                " ".join(num(r["seconds"]) for r in runs),
                num(get(d, "log", "median_mb_per_s")),
                num(get(d, "log", "median_cpu_s_per_gb")),
                " ".join(str(r["lines_missing"]) for r in runs),
                " ".join(str(r["files"]) for r in runs),
                "no" if all(re.match(r"\d{12} ", r.get("first_line", "")) for r in runs) else "yes",
            ]
        )
    head = ["manager", "MiB sent", "seconds", "MB/s, median", "manager CPU s per GB", "lines missing", "files"]
    return grid([*head, "stamps each line by default"], rows)


def mass(ds):
    rows = []
    for name, d in ds:
        cells = []
        for size in ("100", "1000"):
            r = get(d, "scale", "default", size) or {}
            t = r.get("mass_to_all_main_s")
            cells.append(num(t) if t is not None else (r.get("error") or scale_note(d, size)))
        rows.append([name, *cells])
    return grid(["manager", "100 services, s", "1000 services, s"], rows)


def fate(child):
    parent = f" (parent {child['new_parent']})" if child["new_parent"] else ""
    return f"{'old alive' if child['old_child_alive'] else 'old dead'}, {child['live_instances']} running{parent}"


def survive(ds):
    rows = []
    for name, d in ds:
        entries = get(d, "survive")
        for r in entries if isinstance(entries, list) else []:
            if "error" in r:
                rows.append([name, r["role"], r["error"], "", "", ""])
                continue
            after = r.get("after_manager_restarted") or {}
            left = ", ".join(r["manager_processes_after"]) or "none"
            again = f"{after.get('quiet', '–')} / {after.get('tick', '–')}"
            rows.append([name, r["role"], fate(r["quiet"]), fate(r["tick"]), left, again])
    head = ["manager", "killed", "silent child, some s later", "child that writes, some s later"]
    head += ["manager processes then", "instances after the manager was started again: silent / writing"]
    return grid(head, rows)


def crashloop(ds):
    rows = []
    for name, d in ds:
        for variant in ("default", "fast"):
            r = get(d, "crashloop", variant)
            if not r or "starts_in_10_s" not in r:
                continue
            label = name if variant == "default" else f"{name} {variant}"
            gaps = " ".join(f"{g:.0f}" for g in r["gaps_ms"][:6]) or "–"
            rows.append([label, r["starts_in_10_s"], gaps, num(r["quiet_for_ms"])])
    return grid(["manager", "starts in 10 s", "first gaps, ms", "ms since the last start"], rows)


def baseline(b):
    rows = [
        ["`setsid child &`: command ms", stat(get(b, "setsid_child", "command_ms"))],
        ["`setsid child &`: to main() ms", stat(get(b, "setsid_child", "to_main_ms"))],
    ]
    for k in ("spew | cat > file", "spew > file"):
        if r := get(b, k):
            rows.append([f"`{k}`", f"{num(r['mb_per_s'])} MB/s, CPU of both ends {num(r['cpu_s_both_ends'])} s"])
    return grid(["floor without a manager", ""], rows)


def conditions(ds, b):
    rows = [["baseline", b["machine_busy_before_pct"], ""]] if b else []
    for name, d in ds:
        c = d.get("conditions", {}).items()
        busy = ", ".join(f"{p} {r['machine_busy_before_pct']}–{r['machine_busy_after_pct']}%" for p, r in c)
        rows.append([name, busy, ", ".join(f"{p} {r['seconds']:.0f} s" for p, r in c)])
    return grid(["manager", "machine busy with other work before–after each phase", "phase took"], rows)


def heading(ds):
    m = ds[0][1].get("machine", {})
    versions = ", ".join(f"{name} {d.get('version', '')}" for name, d in ds)
    days = sorted({d["when"] for _, d in ds if "when" in d})
    return (
        "# Process manager benchmark\n\n"
        f"{m.get('cpu')}, {m.get('cpus')} CPUs, {m.get('memory_gib')} GiB, Linux {m.get('kernel')}, "
        f"node {m.get('node')}; {', '.join(days)}. Versions: {versions}.\n\n"
        "Latencies: median (minimum). Made by `bench.py --table` from the JSON files beside this one.\n"
    )


def write(out):
    """Makes OUT/table.md of the results in OUT, and returns its text."""
    out = Path(out)
    data = {f.stem: json.loads(f.read_text()) for f in out.glob("*.json")}
    b = data.get("baseline") or {}
    ds = [(name, data[name]) for name in ORDER if name in data]
    if not ds:
        return "no results"
    parts = [heading(ds)]
    for title, body in (
        ("Floor", baseline(b) if b else ""),
        ("1. Start one service, ms", start(ds)),
        ("2. Restart after SIGKILL of the child, ms to main()", restart(ds)),
        ("3. List: wall ms / CPU ms of command and manager", listing(ds)),
        ("4. Memory of all manager processes: PSS / private MiB", memory(ds)),
        ("5. Idle with 100 services", idle(ds)),
        ("6. Log throughput, 100-byte lines", logs(ds)),
        ("7. Mass start until the last child's main()", mass(ds)),
        ("8. SIGKILL of a manager process", survive(ds)),
        ("9. Child that exits with status 1 at once", crashloop(ds)),
        ("Budgets", budgets.table(data)),
        ("Conditions", conditions(ds, b)),
    ):
        if body:
            parts.append(f"## {title}\n\n{body}")
    text = "\n".join(parts)
    (out / "table.md").write_text(text)
    return text
