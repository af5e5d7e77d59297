# SPDX-License-Identifier: GPL-2.0
"""
SVG plots from the figures of "bench": plot.py JSON DIRECTORY

    performance-size.svg    host instructions per frame, by its size
    performance-ports.svg   the same by the number of guests that send to each other
    performance-messages.svg, and so on with -busy and -large    time for a message
"""

import json
import math
import sys

from figures import Figures

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 80, 110, 40, 50
COLOURS = {"bridge": "#c0392b", "direct": "#1f77b4", "uplink": "#7f8c8d",
           "macvtap": "#e67e22", "ovs": "#8e44ad", "copy": "#c0392b", "move": "#1f77b4",
           "share": "#7f8c8d", "auto": "#27ae60"}


def nice_ticks(low, high):
    """Powers of ten, with 2 and 5, that lie between."""
    ticks = []
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1, 2, 5):
            tick = digit * 10 ** power
            if low <= tick <= high:
                ticks.append(tick)
    return ticks


def short(value):
    """With K and M for bytes that are many."""
    for power, unit in ((20, "M"), (10, "K")):
        if value >= 1 << power and value % (1 << power) == 0:
            return f"{value >> power}{unit}"
    return f"{value:,}"


class Plot:
    """Both axes are logarithmic: ratios are distances."""

    def __init__(self, title, x_title, y_title, lines):
        self.out = []
        xs = [x for line in lines.values() for x, _ in line]
        ys = [y for line in lines.values() for _, y in line]
        self.x_range = (min(xs), max(xs))
        self.y_range = (min(ys) / 1.5, max(ys) * 1.5)
        self.add(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>')
        self.text(LEFT, 22, title, size=15)
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_title, anchor="middle")
        self.add(f'<g transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">')
        self.text(0, 0, y_title, anchor="middle")
        self.add("</g>")
        self.axes(sorted(set(xs)))
        ends = []
        for name, line in lines.items():
            self.line(name, line, ends)

    def add(self, text):
        self.out.append(text)

    def text(self, x, y, text, anchor="start", size=12, colour="black"):
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" font-family="sans-serif" font-size="{size}" '
                 f'text-anchor="{anchor}" fill="{colour}">{text}</text>')

    def x(self, value):
        low, high = map(math.log, self.x_range)
        return LEFT + (math.log(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        low, high = map(math.log, self.y_range)
        return HEIGHT - BOTTOM - (math.log(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def axes(self, x_values):
        for value in nice_ticks(*self.y_range):
            y = self.y(value)
            self.add(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
            self.text(LEFT - 6, y + 4, f"{value:,}", anchor="end")
        for value in x_values:
            x = self.x(value)
            self.add(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eee"/>')
            self.text(x, HEIGHT - BOTTOM + 16, short(value), anchor="middle")

    def line(self, name, points, ends):
        colour = COLOURS[name]
        at = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        self.add(f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y in points:
            self.add(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3" fill="{colour}"/>')
        # Names at the ends of the lines, none on another.
        y = self.y(points[-1][1]) + 4
        while any(abs(y - other) < 13 for other in ends):
            y += 1
        ends.append(y)
        self.text(WIDTH - RIGHT + 8, y, name, colour=colour)

    def write(self, name):
        with open(name, "w", encoding="utf-8") as f:
            f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
                    f'viewBox="0 0 {WIDTH} {HEIGHT}">\n')
            f.write("<!-- SPDX-License-Identifier: GPL-2.0 -->\n")
            f.write("<!-- made by \"make bench-plot\" -->\n")
            f.write("\n".join(self.out))
            f.write("\n</svg>\n")


def lines_of(figures, machine, prefix, figure):
    """Of each path with two points or more: (number in the case's name, median)."""
    lines = {}
    for path in COLOURS:
        points = []
        for case in figures.cases(machine):
            if case.startswith(prefix):
                value = figures.median(machine, case, path, figure)
                if value:
                    points.append((int(case[len(prefix):]), value))
        if len(points) > 1:
            lines[path] = sorted(points)
    return lines


FRAMES = ("icount", "instructions_per_frame", "host instructions per frame")
MESSAGES = ("messages", "us_per_message", "microseconds")
PLOTS = (
    ("size", "What a frame costs the host", "size-", "bytes of a frame", FRAMES),
    ("ports", "Guests that all send to each other, 64-byte frames", "ports-", "guests", FRAMES),
    ("messages", "What a message takes", "alone-", "bytes of a message", MESSAGES),
    ("messages-busy", "What a message takes whose receiver's guest runs", "busy-",
     "bytes of a message", MESSAGES),
    ("messages-large", "What a message takes in windows of large pages", "large-",
     "bytes of a message", MESSAGES),
)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        figures = Figures(json.load(f)["runs"])
    for name, title, prefix, x_title, (machine, figure, y_title) in PLOTS:
        lines = lines_of(figures, machine, prefix, figure)
        if not lines:
            print(f"no figures of \"{prefix}...\" in {sys.argv[1]}", file=sys.stderr)
            continue
        file = f"{sys.argv[2]}/performance-{name}.svg"
        Plot(title, x_title, y_title, lines).write(file)
        print(file)


main()
