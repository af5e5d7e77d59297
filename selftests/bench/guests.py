# SPDX-License-Identifier: GPL-2.0
"""Figures of a run between real guests, from what the counters grew by."""

# One of /proc/stat, which Linux makes a hundredth of a second for all to see.
TICK_US = 10000

# Figure of a frame, or of a MB: the counters whose sum it is.
COUNTED = {
    "exits": ["exits"],
    "halts": ["halt_exits"],
    "kicks": ["kicks"],
    "interrupts": ["a.input.0", "a.output.0", "b.input.0", "b.output.0"],
    "wakeups": ["wakeups"],
}


def grown(run, names):
    """What did not grow is not among the counters."""
    return sum(run["counters"].get(name, 0) for name in names)


def drop_places(counters):
    """Drops by place. A tap's receive side is what its guest sends."""
    places = {}
    for name, n in counters.items():
        where, _, what = name.partition(".")
        if what.startswith("drop_"):
            places[f"{where} {what[5:]}"] = n
        elif what in ("rx_dropped", "tx_dropped"):
            where = f"guest {where}" if where in ("a", "b") else where
            places[f"{where} {what[:2]}"] = n
    return places


def complete(run):
    """Guest a sends and guest b receives; what b answers are frames as well."""
    frames = grown(run, ["a.rx_packets", "b.rx_packets"])
    host_us = TICK_US * grown(run, ["ticks"])
    run["frames"] = frames
    run["host_us_per_frame"] = host_us / frames if frames else None
    for what, names in COUNTED.items():
        run[f"{what}_per_frame"] = grown(run, names) / frames if frames else None
    run["retransmits"] = grown(run, ["a.retransmits", "b.retransmits"])
    if "mb" in run:
        run["host_ms_per_mb"] = host_us / 1000 / run["mb"]
        for what, names in COUNTED.items():
            run[f"{what}_per_mb"] = grown(run, names) / run["mb"]
        got = grown(run, ["b.rx_packets"])
        run["bytes_per_frame"] = grown(run, ["b.rx_bytes"]) / got if got else None
    if "sent" in run:
        got = grown(run, ["b.rx_packets"])
        run["sent_per_s"] = 1e6 * run["sent"] / run["sent_us"]
        run["frames_per_s"] = 1e6 * got / run["sent_us"]
        run["lost_percent"] = 100 * max(0, run["sent"] - got) / run["sent"]
    direct = grown(run, ["vnet0.rx_direct_frames", "vnet1.rx_direct_frames"])
    if run["path"] in ("direct", "uplink") and frames:
        run["direct_share"] = direct / frames
    run["drops"] = drop_places(run["counters"])
