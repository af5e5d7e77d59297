# SPDX-License-Identifier: GPL-2.0
"""Runs of the driver: reading them, medians, ratios."""

import json

from guests import complete

PATHS = ["bridge", "direct", "uplink", "macvtap", "ovs"]
PEER = "bridge"


def read_log(name):
    """What "inside" printed: a list of runs."""
    runs = []
    with open(name, encoding="utf-8") as f:
        for line in f:
            if not line.startswith("bench: "):
                continue
            _, machine, case, text = line.split(" ", 3)
            run = json.loads(text)
            run["machine"] = machine
            run["case"] = case
            if machine == "guests":
                complete(run)
            runs.append(run)
    return runs


def read_about(name):
    """The machines that they were made on."""
    with open(name, encoding="utf-8") as f:
        return [line[13:].strip() for line in f if line.startswith("bench-about: ")]


def median(values):
    values = sorted(values)
    n = len(values)
    return (values[(n - 1) // 2] + values[n // 2]) / 2


class Figures:
    """All runs; by machine, case, path and figure."""

    def __init__(self, runs):
        self.runs = runs

    def cases(self, machine):
        seen = []
        for run in self.runs:
            if run["machine"] == machine and run["case"] not in seen:
                seen.append(run["case"])
        return seen

    def values(self, machine, case, path, figure):
        """figure is a name, or a function of a run. Runs that lack it do not count."""
        get = figure if callable(figure) else lambda run: run.get(figure)
        found = []
        for run in self.runs:
            if (run["machine"], run["case"], run["path"]) == (machine, case, path):
                value = get(run)
                if value is not None:
                    found.append(value)
        return found

    def median(self, *key):
        values = self.values(*key)
        return median(values) if values else None

    def spread(self, *key):
        """Half of what lies between the extremes, in parts of the median."""
        values = self.values(*key)
        if len(values) < 2 or not median(values):
            return None
        return (max(values) - min(values)) / 2 / abs(median(values))

    def ratio(self, machine, case, path, figure, lower_is_better=True):
        """How many times better than the peer in the same run; None without."""
        ours = self.median(machine, case, path, figure)
        peer = self.median(machine, case, PEER, figure)
        if not ours or not peer:
            return None
        return peer / ours if lower_is_better else ours / peer
