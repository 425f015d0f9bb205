"""Plots as SVG files, without a library: lines of medians with their spread."""

import html
import math

WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 40, 52
COLOURS = ("#1565c0", "#c62828", "#2e7d32", "#ef6c00", "#6a1b9a", "#455a64")


def _ticks(low, high, logarithmic):
    if logarithmic:
        ticks = [10 ** power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
        return [tick for tick in ticks if low <= tick <= high] or [low, high]
    step = 10 ** math.floor(math.log10((high - low) / 4 or 1))
    for factor in (1, 2, 5, 10):
        if (high - low) / (step * factor) <= 6:
            step *= factor
            break
    first = math.ceil(low / step)
    return [tick * step for tick in range(first, math.floor(high / step + 1e-9) + 1)]


def _label(value):
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    if value >= 1000:
        return f"{value / 1000:g} k"
    return f"{value:g}"


class Axis:
    def __init__(self, values, pixels, logarithmic, from_zero):
        low, high = min(values), max(values)
        if logarithmic:
            self.low, self.high = low, high if high > low else low * 10
        else:
            self.low = 0 if from_zero else low
            self.high = (high if high > self.low else self.low + 1) * 1.05
        self.pixels, self.logarithmic = pixels, logarithmic

    def place(self, value):
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.pixels[0] + share * (self.pixels[1] - self.pixels[0])

    def ticks(self):
        return _ticks(self.low, self.high, self.logarithmic)


def plot(title, x_label, y_label, series, note="", log_x=True):
    """`series`: {name: [(x, median, lowest, highest), ...]}; the text of an SVG file."""
    points = [point for line in series.values() for point in line]
    x_axis = Axis([point[0] for point in points], (LEFT, WIDTH - RIGHT), log_x, False)
    y_axis = Axis([point[3] for point in points], (HEIGHT - BOTTOM, TOP), False, True)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
           'font-family="sans-serif" font-size="12" fill="#222">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
           f'<text x="{LEFT}" y="22" font-size="14" font-weight="bold">{html.escape(title)}</text>']
    for tick in y_axis.ticks():
        y = y_axis.place(tick)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_label(tick)}</text>')
    for tick in x_axis.ticks():
        x = x_axis.place(tick)
        out.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>'
                   f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_label(tick)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle:.0f}" y="{HEIGHT - 18}" text-anchor="middle">{html.escape(x_label)}</text>')
    out.append(f'<text transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle">'
               f'{html.escape(y_label)}</text>')
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [(x_axis.place(x), y_axis.place(middle_), y_axis.place(low), y_axis.place(high))
                  for x, middle_, low, high in sorted(line)]
        band = [(x, high) for x, _, _, high in placed] + [(x, low) for x, _, low, _ in reversed(placed)]
        out.append(f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in band)}" fill="{colour}" opacity="0.15"/>')
        out.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in placed)}" fill="none" '
                   f'stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y, _, _ in placed]
        y = TOP + 8 + number * 20
        out.append(f'<path d="M{WIDTH - RIGHT + 12} {y}h18" stroke="{colour}" stroke-width="2"/>'
                   f'<text x="{WIDTH - RIGHT + 36}" y="{y + 4}">{html.escape(name)}</text>')
    if note:
        out.append(f'<text x="{LEFT}" y="{HEIGHT - 4}" font-size="9" fill="#777">{html.escape(note)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
