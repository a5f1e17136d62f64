# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plot of docs/performance.md: time against stacks, of everybody, for converged and first runs."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")  # before pyplot, which takes the backend as it is

from matplotlib import pyplot as plt

from tests.bench.estate.figures import CASE_NAMES, Figures, Key

# Colours that people who do not see all of them can tell apart, and a mark for each.
STYLES = {
    "ours": ("#0072b2", "o"),
    "terraform": ("#d55e00", "s"),
    "loops": ("#8c6bb1", "^"),
    "floor": ("#4d4d4d", "x"),
}
SIZES = (1, 20, 100, 1000)


def write(figures: Figures, file: Path) -> None:
    """Writes the SVG file: a panel for each case and latency. The same figures make the same file."""
    mpl.rcParams.update({"svg.hashsalt": "gitops.aws", "font.size": 10, "axes.spines.top": False})
    mpl.rcParams.update({"axes.spines.right": False, "font.family": "DejaVu Sans"})
    chart, panels = plt.subplots(2, 2, figsize=(9, 7), sharex=True, sharey=True, layout="constrained")
    for row, case in zip(panels, ("converged", "first"), strict=True):
        for panel, latency in zip(row, (0, 50), strict=True):
            for name, (colour, mark) in STYLES.items():
                _line(panel, figures, name, case, latency, colour, mark)
            more = f", {latency} ms added to each call" if latency else ""
            panel.set_title(f"{CASE_NAMES[case].capitalize()}{more}", fontsize=10, loc="left")
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
            panel.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
            panel.minorticks_off()
            panel.grid(color="#dddddd", linewidth=0.6)
    for panel in panels[-1]:
        panel.set_xlabel("stacks")
    for row in panels:
        row[0].set_ylabel("seconds")
    handles, labels = panels[0][0].get_legend_handles_labels()
    chart.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    chart.savefig(file, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    plt.close(chart)
    # Trailing white space is nobody's.
    lines = [line.rstrip() for line in file.read_text(encoding="utf-8").splitlines()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(panel, figures: Figures, name: str, case: str, latency: int, colour: str, mark: str) -> None:
    keys = [Key(name, size, case, latency) for size in SIZES]
    found = [(key, seconds) for key in keys if (seconds := figures.seconds(key)) is not None]
    if not found:
        return
    sizes, times = [key.stacks for key, _seconds in found], [seconds for _key, seconds in found]
    real = [key in figures.runs for key, _seconds in found]
    panel.plot(sizes, times, color=colour, marker=mark, label=name, markersize=5, linewidth=1.6)
    for size, seconds, measured in zip(sizes, times, real, strict=True):
        if not measured:
            panel.plot([size], [seconds], color=colour, marker=mark, markersize=6, markerfacecolor="white")
