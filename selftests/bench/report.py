# SPDX-License-Identifier: GPL-2.0
"""Tables of what "inside" printed: report.py LOG JSON"""

import json
import random
import sys

from figures import Figures, PATHS, PEER, read_about, read_log


def number(x):
    if x is None:
        return "-"
    if x == 0:
        return "0"
    if abs(x) >= 1000:
        return f"{x:,.0f}"
    if abs(x) >= 10:
        return f"{x:.1f}"
    if abs(x) >= 0.01:
        return f"{x:.3f}"
    return f"{x:.5f}"


def cells(figures, key, figure, lower=True, ratio=True):
    """What each path has to say; key is a machine and a case."""
    row = []
    for path in PATHS:
        cell = number(figures.median(*key, path, figure))
        spread = figures.spread(*key, path, figure)
        times = figures.ratio(*key, path, figure, lower)
        if cell != "-" and spread is not None:
            cell += f" ±{100 * spread:.0f}%"
        if ratio and path != PEER and times:
            cell += f" ({times:.2f}x)"
        row.append(cell)
    return row


def print_table(title, rows):
    """Rows that begin with a name, and columns without figures left out."""
    rows = [row for row in rows if any(cell != "-" for cell in row[1:])]
    if not rows:
        return
    rows.insert(0, [""] + PATHS)
    seen = [i for i in range(len(rows[0])) if i == 0 or any(row[i] != "-" for row in rows[1:])]
    width = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print(f"\n{title}")
    for row in rows:
        print("  " + "  ".join(row[i].ljust(width[i]) for i in seen).rstrip())


def table(figures, title, machine, prefixes, figure, lower=True, ratio=True):
    """A row for each case, a column for each path."""
    print_table(title, [[case] + cells(figures, (machine, case), figure, lower, ratio)
                        for case in figures.cases(machine) if case.startswith(tuple(prefixes))])


# Of each case between real guests: figure, what it is, whether more is better.
GUESTS = {
    "tcp": ("one TCP stream", [
        ("Mbit/s", "mbits_per_s", False),
        ("host ms per MB", "host_ms_per_mb", True),
        ("exits per MB", "exits_per_mb", True),
        ("kicks per MB", "kicks_per_mb", True),
        ("interrupts per MB", "interrupts_per_mb", True),
        ("wake-ups of workers per MB", "wakeups_per_mb", True),
        ("halts of guests per MB", "halts_per_mb", True),
        ("bytes per frame", "bytes_per_frame", False),
        ("retransmissions", "retransmits", None),
    ]),
    "pps-64": ("datagrams in frames of 64 bytes, as fast as pktgen can", [
        ("delivered per second", "frames_per_s", False),
        ("sent per second", "sent_per_s", False),
        ("lost, %", "lost_percent", None),
        ("host us per frame", "host_us_per_frame", True),
        ("exits per frame", "exits_per_frame", True),
        ("kicks per frame", "kicks_per_frame", True),
        ("interrupts per frame", "interrupts_per_frame", True),
        ("wake-ups of workers per frame", "wakeups_per_frame", True),
    ]),
    "ping": ("ping, 50 a second", [
        ("median, us", "p50_us", True),
        ("99 of 100, us", "p99_us", True),
        ("host us per frame", "host_us_per_frame", True),
        ("exits per frame", "exits_per_frame", True),
        ("kicks per frame", "kicks_per_frame", True),
        ("interrupts per frame", "interrupts_per_frame", True),
        ("wake-ups of workers per frame", "wakeups_per_frame", True),
    ]),
}


def guests(figures):
    for case in figures.cases("guests"):
        title, rows = GUESTS[case]
        print_table(f"Real guests: {title}",
                    [[name] + cells(figures, ("guests", case), figure, lower, lower is not None)
                     for name, figure, lower in rows])
        share = figures.median("guests", case, "direct", "direct_share")
        if share is not None and share < 0.99:
            print(f"  \"direct\" is NOT: only {100 * share:.0f} % went that way")


def kicks_and_interrupts(run):
    kicks, calls = run.get("kicks_per_frame"), run.get("interrupts_per_frame")
    return None if kicks is None or calls is None else kicks + calls


def lost(run):
    """Of the pair that is looked at, in percent; what is under way is none."""
    sent, got = run.get("pair_sent", run["sent"]), run.get("pair_frames", run["frames"])
    return 100 * max(0, sent - got) / sent if sent else None


def goodput(figures):
    """Of a receiver that is overrun, in percent of what it takes else."""
    rows = []
    for path in PATHS:
        peak = figures.median("smp", "overload-peak", path, "frames_per_s")
        over = figures.median("smp", "overload", path, "frames_per_s")
        if peak and over:
            rows.append(f"  {path:8} {100 * over / peak:.1f} %")
    if rows:
        print("\nOverload: goodput, of that when the sender waits for the receiver")
        print("\n".join(rows))


def bystander(figures):
    rows = []
    for path in PATHS:
        free = figures.median("smp", "stall-not", path, "pair_frames")
        stalled = figures.median("smp", "stall", path, "pair_frames")
        loss = figures.median("smp", "stall", path, lost)
        if free and stalled:
            rows.append(f"  {path:8} {100 * stalled / free:.1f} % of its frames, {loss:.2f} % lost")
    if rows:
        print("\nStalled receiver: what another receiver of the same sender still gets")
        print("\n".join(rows))


def drops(figures):
    """Places where frames were dropped, with the median count, where there are any."""
    rows = []
    for machine in ("icount", "smp", "guests", "uml"):
        for case in figures.cases(machine):
            for path in PATHS:
                places = {}
                for run in figures.runs:
                    if (run["machine"], run["case"], run["path"]) == (machine, case, path):
                        for place, n in run["drops"].items():
                            places[place] = max(places.get(place, 0), n)
                said = [f"{place} {n}" for place, n in places.items()
                        if place != "not_arrived" and n]
                if said:
                    rows.append(f"  {case:16} {path:8} {', '.join(said)}")
    if rows:
        print("\nDrops by place, the most of any round")
        print("\n".join(rows))


def usercopy(figures):
    here = figures.median("uml", "usercopy", "none", "usercopy_ns")
    native = figures.median("native", "usercopy", "none", "usercopy_ns")
    if here and native:
        print("\nA copy of 8 bytes to user memory, ns")
        print(f"  {here:.1f} in User-mode Linux, which walks page tables for it;"
              f" {native:.1f} by the kernel of this machine")


# How a message comes to its receiver.
WAYS = ["copy", "move", "share"]
# Chosen from all of these, and from all but "share".
AUTOS = ["auto", "unshared"]


def against_best(figures, case, way):
    """
    What it did, and what it took above the best it could have done, by pairs of turns. Who
    else has the processors makes a turn longer, never shorter: of each the fastest tenth
    counts. Behind it, how far from the true one that can be, by drawing pairs again.
    """
    pairs = list(zip(figures.values("messages", case, way, "us_per_message"),
                     figures.values("messages", case, way, "best_us")))
    did = figures.values("messages", case, way, "did")

    def above(of):
        autos, bests = (sorted(turns)[len(of) // 10] for turns in zip(*of))
        return 100 * (autos / bests - 1)

    draw = random.Random(1)
    drawn = sorted(above(draw.choices(pairs, k=len(pairs))) for _ in range(400))
    # 19 of 20 are between these.
    low, high = drawn[10], drawn[-11]
    return [max(set(did), key=did.count), f"{above(pairs):+.1f} ±{(high - low) / 2:.1f} %"]


def messages(figures):
    """By size: what each way takes, and "auto" against the best of those it chooses from."""
    for mode, title in (("alone", "alone"), ("busy", "while a virtual processor uses it"),
                        ("large", "in pages of 2 MiB")):
        rows = []
        for case in figures.cases("messages"):
            if not case.startswith(mode + "-"):
                continue
            row = [case[len(mode) + 1:]]
            for way in WAYS:
                row.append(number(figures.median("messages", case, way, "us_per_message")))
            for way in AUTOS:
                row += against_best(figures, case, way)
            rows.append(row)
        if rows:
            print(f"\nus for a message of so many bytes, the receiver's window {title}")
            names = ["bytes"] + WAYS + ["auto", "to best", "unshared", "to best"]
            for row in [names] + rows:
                print("  " + "".join(f"{cell:>10}" for cell in row[:4]) +
                      "".join(f"{cell:>10}{to_best:>16}"
                              for cell, to_best in (row[4:6], row[6:8])))


def report(figures):
    print("Medians, half the spread; in brackets how many times better than vhost-net + bridge")
    print("in the same run. bridge, macvtap, ovs: on vhost-net; direct, uplink: ivshm.")
    table(figures, "Host instructions per frame (batches of 64; TSO: 8)", "icount",
          ["size-", "pingpong"], "instructions_per_frame")
    table(figures, "Host instructions per frame, batches of N", "icount", ["batch-"],
          "instructions_per_frame")
    table(figures, "Host instructions per frame, N guests all to all", "icount", ["ports-"],
          "instructions_per_frame")
    table(figures, "Copies per payload byte", "icount", ["probes-"], "copies_per_byte",
          ratio=False)
    table(figures, "Socket buffers per frame", "icount", ["probes-"], "skbs_per_frame",
          ratio=False)
    table(figures, "Wake-ups of workers per frame, round trips", "icount", ["pingpong"],
          "wakeups_per_frame", ratio=False)
    times = ["stream-", "flood-"]
    table(figures, "Host processor time per delivered frame, us", "smp",
          times + ["ports-", "pingpong"], "host_us_per_frame")
    table(figures, "Delivered frames per second", "smp", times + ["ports-"], "frames_per_s",
          lower=False)
    table(figures, "Delivered MB per second", "smp", times,
          lambda run: run["bytes_per_s"] / 1e6, lower=False)
    table(figures, "Kicks and interrupts per frame", "smp", times, kicks_and_interrupts,
          ratio=False)
    table(figures, "Wake-ups of workers per frame", "smp", times + ["pingpong"],
          "wakeups_per_frame", ratio=False)
    table(figures, "Round trip, median, us", "smp", ["pingpong"], "p50_us")
    table(figures, "Round trip, 99 of 100, us", "smp", ["pingpong"], "p99_us")
    table(figures, "Run time of workers per frame, native, ns (batches of 64; TSO: 8)", "uml",
          ["size-", "pingpong"], "worker_ns_per_frame")
    usercopy(figures)
    table(figures, "Idle for ten seconds: wake-ups per second", "smp", ["idle"],
          "wakeups_per_s", ratio=False)
    goodput(figures)
    bystander(figures)
    guests(figures)
    messages(figures)
    drops(figures)


def main():
    runs = read_log(sys.argv[1])
    if not runs:
        sys.exit("there are no figures")
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        json.dump({"about": read_about(sys.argv[1]), "runs": runs}, f, indent=1)
        f.write("\n")
    report(Figures(runs))


main()
