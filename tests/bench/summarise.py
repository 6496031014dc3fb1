#!/usr/bin/env python3
"""Tables of what the contenders measured.

usage: summarise.py nets FOLDER      raw.tsv, nets.tsv, peak.tsv, machine.tsv → bench.txt, bench.tsv
       summarise.py layers FOLDER    raw.tsv, lunette_*.json, machine.tsv → layers.txt, layers.tsv

Prints the text. A time is the median of the rounds' medians. Exit code 1 when an answer is wrong by more than 1e-3 (of
the largest expected number) or Lunette has no time at all."""
import json
import math
import re
import statistics
import sys
from pathlib import Path

WRONG = 1e-3
OURS = "lunette"
FAILED = "not run"


def rows_of(path):
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def number(x, digits=3):
    if x is None or math.isnan(x):
        return "-"
    return f"{x:.{digits}g}" if abs(x) < 100 else f"{x:.0f}"


class Times:
    """By contender, key (network or descriptor) and thread count."""

    def __init__(self):
        self.medians = {}
        self.version = {}
        self.failed = {}
        self.wrong = {}

    def contender(self, name_version):
        name, _, version = name_version.partition(" ")
        self.version.setdefault(name, "")
        self.version[name] = version or self.version[name]
        return name

    def add(self, name_version, key, threads, ms):
        self.medians.setdefault((self.contender(name_version), key, int(threads)), []).append(float(ms))

    def fail(self, name_version, key, threads, reason):
        self.failed[self.contender(name_version), key, int(threads)] = reason

    def error(self, name_version, key, threads, error):
        """Whether the answer is good; a wrong one has no time."""
        if error <= WRONG:
            return True
        self.wrong[self.contender(name_version), key, int(threads)] = error
        return False

    def get(self, name, key, threads):
        if (name, key, threads) in self.wrong or (name, key, threads) not in self.medians:
            return None
        return statistics.median(self.medians[name, key, threads])

    def peers(self):
        return [name for name in self.version if name != OURS]

    def ratio(self, peer, key, threads):
        ours, theirs = self.get(OURS, key, threads), self.get(peer, key, threads)
        return theirs / ours if ours and theirs else None

    def keys(self):
        seen = {}
        for _, key, threads in [*self.medians, *self.failed, *self.wrong]:
            seen.setdefault(key, set()).add(threads)
        return [(key, t) for t in sorted({t for ts in seen.values() for t in ts}) for key in seen if t in seen[key]]


# ---- tables ------------------------------------------------------------------------------------------


def aligned(table):
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return lines


def geomean_rows(times, columns):
    """A row a thread count: only the ratios."""
    rows = []
    for threads in sorted({t for _, t in times.keys()}):
        row = ["geometric mean", str(threads)]
        for kind, name in columns:
            if kind == "ratio":
                all_of = [times.ratio(name, key, t) for key, t in times.keys() if t == threads]
                row.append(number(geomean([r for r in all_of if r])))
            else:
                row.append("")
        rows.append(row)
    return rows


def table_of(times, first, rates, titles):
    """Times, ratios of peers to Lunette, then what rates(key, threads, ms) gives under `titles`."""
    columns = [("ms", OURS), *[("ms", p) for p in times.peers()], *[("ratio", p) for p in times.peers()]]
    head = [f"{n} ms" if kind == "ms" else f"{n}/{OURS}" for kind, n in columns]
    table = [[first, "threads", *head, *titles]]
    for key, threads in times.keys():
        cells = []
        for kind, name in columns:
            value = times.get(name, key, threads) if kind == "ms" else times.ratio(name, key, threads)
            cells.append(number(value))
        table.append([key, str(threads), *cells, *rates(key, threads, times.get(OURS, key, threads))])
    table += [row + [""] * len(titles) for row in geomean_rows(times, columns)]
    return table


def remarks(times):
    lines = [f"WRONG: {n} on {k}, {t} thread(s): off by {e:.1e} of the largest output, no time counts"
             for (n, k, t), e in times.wrong.items()]
    reasons = {}
    for (n, k, t), why in times.failed.items():
        reasons.setdefault((n, k, why), []).append(t)
    for (n, k, why), threads in reasons.items():
        lines.append(f"not run: {n} on {k}, {', '.join(map(str, threads))} thread(s): {why}")
    return lines


def write(folder, name, machine, table, notes):
    versions = [f"{key}: {value}" for key, value in machine]
    text = "\n".join([*versions, "", *aligned(table), "", *notes]) + "\n"
    (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    tsv = [*[f"# {v}" for v in versions], *["\t".join(row) for row in table], *[f"# {n}" for n in notes]]
    (folder / f"{name}.tsv").write_text("\n".join(tsv) + "\n", encoding="utf-8")
    print(text, end="")


def machine_lines(folder, times):
    lines = [row for row in rows_of(folder / "machine.tsv") if len(row) == 2]
    return [*lines, *[[name, times.version[name]] for name in times.peers() if times.version[name]]]


def has_ours(times):
    return any(name == OURS for name, _, _ in times.medians)


def verdict(times):
    if not has_ours(times):
        print("bench: Lunette has no time", file=sys.stderr)
    if times.wrong:
        print(f"bench: {len(times.wrong)} wrong answer(s), see above", file=sys.stderr)
    return 0 if has_ours(times) and not times.wrong else 1


# ---- whole networks ----------------------------------------------------------------------------------


def read_nets(folder):
    times = Times()
    for row in rows_of(folder / "raw.tsv"):
        if row[3] == FAILED:
            times.fail(row[0], row[1], row[2], row[4])
            continue
        name, net, threads, median, _, _, _, error = row
        if times.error(name, net, threads, float(error)):
            times.add(name, net, threads, median)
    return times


def nets(folder):
    times = read_nets(folder)
    macs = {net: json.loads(Path(show).read_text(encoding="utf-8"))["macs"]
            for net, show in rows_of(folder / "nets.tsv")}
    peak = {}
    for threads, gflops in rows_of(folder / "peak.tsv"):
        peak[int(threads)] = max(peak.get(int(threads), 0), float(gflops))

    def rates(net, threads, ms):
        gflops = 2e-6 * macs[net] / ms if ms and net in macs else None
        share = 100 * gflops / peak[threads] if gflops and peak.get(threads) else None
        return [number(macs[net] / 1e9) if net in macs else "-", number(gflops), number(share)]

    table = table_of(times, "network", rates, ["GMAC", f"{OURS} GFLOP/s", "% of peak"])
    measured = [f"peak, {t} thread(s): {number(p)} GFLOP/s" for t, p in sorted(peak.items())]
    notes = ["x/lunette above 1: Lunette is faster.", *measured, *remarks(times)]
    write(folder, "bench", machine_lines(folder, times), table, notes)
    return verdict(times)


# ---- layers ------------------------------------------------------------------------------------------


def same_descriptor(text):
    """Without '_' and the name, which begins where a key 'n' stands."""
    return re.sub(r"^((?:_|(?!n)[a-z]+?-?\d+)*).*$", r"\1", text, flags=re.S).replace("_", "")


def read_layers(folder):
    times, gflops = Times(), {}
    for path in sorted(folder.glob("lunette_*.json")):
        threads = path.stem.partition("_")[2]
        for layer in json.loads(path.read_text(encoding="utf-8")):
            if layer.get("ms"):
                times.add(OURS, same_descriptor(layer["descriptor"]), threads, layer["ms"])
            else:
                times.fail(OURS, same_descriptor(layer["descriptor"]), threads, layer.get("error", "no time"))
    for row in rows_of(folder / "raw.tsv"):
        key = same_descriptor(row[1])
        if row[3] == FAILED:
            times.fail(row[0], key, row[2], row[4])
            continue
        times.add(row[0], key, row[2], row[3])
        gflops[key] = float(row[3]) * float(row[5])
    return times, gflops


def layers(folder):
    times, work = read_layers(folder)

    def rates(key, _threads, ms):
        return [number(work[key] / ms) if ms and key in work else "-"]

    table = table_of(times, "descriptor", rates, [f"{OURS} GFLOP/s"])
    notes = ["x/lunette above 1: Lunette is faster.", *remarks(times)]
    if not has_ours(times):
        notes.append("Lunette has no times: its bench --conv-batch gave none.")
    write(folder, "layers", machine_lines(folder, times), table, notes)
    return 0


def main():
    commands = {"nets": nets, "layers": layers}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    return commands[sys.argv[1]](Path(sys.argv[2]))


if __name__ == "__main__":
    sys.exit(main())
