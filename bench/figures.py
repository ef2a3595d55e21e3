"""Reading results, and writing figures and tables."""

# The sizes of the scale phase that the tables show.
SIZES = ("1", "10", "100", "1000")


def get(d, *path):
    """The value at a path of keys, or None where there is none."""
    for key in path:
        if not isinstance(d, dict) or d.get(key) is None:
            return None
        d = d[key]
    return d


def num(x):
    if x is None:
        return "–"
    if abs(x) >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def grid(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def slope(rows):
    """KiB per service between N=10 and the largest N: at N=1 pages that supervisors share still count as private."""
    good = sorted((int(n), r["memory"]) for n, r in (rows or {}).items() if n.isdigit() and r.get("memory"))
    good = [g for g in good if g[0] >= 10] if len(good) > 2 else good
    if len(good) < 2:
        return {}
    (n1, a), (n2, b) = good[0], good[-1]
    return {k: (b[k] - a[k]) / (n2 - n1) for k in ("pss_kb", "uss_kb", "pte_kb")}
