# SPDX-License-Identifier: GPL-2.0
"""
Ratios of instructions against vhost-net + bridge, compared with recorded ones:

    smoke.py LOG RECORDED [--record]

Prints KTAP. A ratio that is more than a quarter worse is a failure.
"""

import json
import sys

from figures import Figures, PEER, read_log

WORSE = 0.75


def main():
    figures = Figures(read_log(sys.argv[1]))
    ratios = {}
    for case in figures.cases("smoke"):
        for path in ("direct", "uplink"):
            ratio = figures.ratio("smoke", case, path, "instructions_per_frame")
            if ratio:
                ratios[f"{case} {path}"] = round(ratio, 3)
    if "--record" in sys.argv:
        with open(sys.argv[2], "w", encoding="utf-8") as f:
            json.dump({"times_better_than": PEER, "ratios": ratios}, f, indent=1)
            f.write("\n")
    with open(sys.argv[2], encoding="utf-8") as f:
        recorded = json.load(f)["ratios"]
    print("KTAP version 1")
    print(f"1..{len(recorded)}")
    failed = False
    for n, (name, old) in enumerate(recorded.items(), 1):
        new = ratios.get(name)
        ok = new is not None and new >= WORSE * old
        failed |= not ok
        print(f"# {name}: {new} times better than vhost-net + bridge, recorded {old}")
        print(f"{'ok' if ok else 'not ok'} {n} bench: instructions, {name}")
    sys.exit(failed)


main()
