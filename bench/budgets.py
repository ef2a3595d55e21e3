"""What `resume` may cost: ratios to its peers, out of one run of the benchmark."""

from figures import get, grid, num, slope


def median(d, *path):
    return get(d, *path, "median")


def to_main(d):
    return median(d, "start", "add_c", "to_main_ms")


def restarted(d):
    return median(d, "restart", "default", "to_main_ms")


def listed(d, size, label):
    return median(d, "scale", "default", size, "list", label, "wall_ms")


def mass(d):
    return get(d, "scale", "default", "1000", "mass_to_all_main_s")


def private_kib(d):
    return slope(get(d, "scale", "default")).get("uss_kb")


def rows(data):
    """(what, our figure, what it is compared with, that figure, the most that the ratio may be)."""
    ours, floor, runit, s6 = (data.get(name) for name in ("resume", "floor", "runit", "s6"))
    cat = get(data.get("baseline"), "spew | cat > file", "mb_per_s")
    yield "start, ms to main()", to_main(ours), "s6", to_main(s6), 1.0
    yield "restart, ms to main()", restarted(ours), "floor", restarted(floor), 1.3
    for size, most in (("1", 1.0), ("100", 0.7), ("1000", 0.7)):
        theirs = listed(runit, size, "")
        yield f"`ls --no-usage` of {size}, ms", listed(ours, size, "ls --no-usage"), "runit", theirs, most
        yield f"`ls` of {size}, ms", listed(ours, size, "ls"), "runit", theirs, 1.5
    yield "private KiB a service", private_kib(ours), "100 KiB", 100.0, 1.0
    yield "1000 services started, s", mass(ours), "floor", mass(floor), 1.6
    # The other way round: more is better.
    yield "log, ms per MB", inverse(get(ours, "log", "median_mb_per_s")), "`cat`", inverse(cat), 1 / 0.9


def inverse(mb_per_s):
    return 1000 / mb_per_s if mb_per_s else None


def verdict(figure, other, most):
    if figure is None or not other:
        return ["–", f"≤ {most:.2f}", "not measured"]
    ratio = figure / other
    return [f"{ratio:.2f}", f"≤ {most:.2f}", "met" if ratio <= most else "missed"]


def table(data):
    """The markdown table, or nothing when `resume` was not measured."""
    ours = data.get("resume")
    if not ours:
        return ""
    out = [
        [what, num(figure), f"{name} {num(other)}", *verdict(figure, other, most)]
        for what, figure, name, other, most in rows(data)
    ]
    switches = get(ours, "scale", "default", "100", "idle", "context_switches")
    met = "not measured" if switches is None else ("met" if switches == 0 else "missed")
    out.append(["idle, 100 services: context switches", "–" if switches is None else switches, "", "", "0", met])
    return grid(["what", "resume", "compared with", "ratio", "budget", ""], out)
