"""The decoder once more, slow and plain: float64, whole maps, every cell looked at each time.

What the fast one gathers, bounds, samples and prunes must not change the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_fashion.engine.decode import RESOLUTION, DecoderOptions
from napari_fashion.engine.fields import Fields

WEAK, WINDOW, MIN_SPREAD = 0.02, 3, 1.0


@dataclass
class Found:
    """xy (K, 2), scores (K,), spread (K,), sizes (K,)."""

    xy: np.ndarray
    scores: np.ndarray
    spread: np.ndarray
    sizes: np.ndarray


class Plain:
    """Decodes fields whose values are finite; a garment is scored over all landmarks."""

    def __init__(self, fields: Fields, options: DecoderOptions) -> None:
        self.o = options
        self.k, self.h, self.w = fields.pif_confidence.shape
        self.c = fields.pif_confidence.astype(float)
        self.xy = fields.pif_xy.astype(float)
        self.size = fields.pif_size.astype(float)
        self.spread = fields.pif_spread.astype(float)
        self.paf = [
            (
                fields.paf_confidence[e].ravel().astype(float),
                (fields.paf_xy1[e].reshape(2, -1).T, fields.paf_spread1[e].ravel()),
                (fields.paf_xy2[e].reshape(2, -1).T, fields.paf_spread2[e].ravel()),
            )
            for e in range(len(fields.edges))
        ]
        self.edges = fields.edges
        self.weak = self.make_map(np.float32(WEAK))
        self.strong = self.make_map(np.float32(options.pif_threshold))

    def make_map(self, threshold: float) -> np.ndarray:
        f = np.zeros((self.k, self.h * RESOLUTION, self.w * RESOLUTION))
        at_x = (np.arange(f.shape[2]) + 0.5) / RESOLUTION - 0.5
        at_y = (np.arange(f.shape[1]) + 0.5) / RESOLUTION - 0.5
        half = math.sqrt(self.o.cells_per_landmark) / 2
        for k, j, i in np.argwhere(self.c >= threshold):
            x, y = self.xy[k, :, j, i]
            s = self.kernel(self.size[k, j, i])
            there = max(min(x + half, self.w - 0.5) - max(x - half, -0.5), 1)
            there *= max(min(y + half, self.h - 0.5) - max(y - half, -0.5), 1)
            across = np.exp(-((at_x - x) ** 2) / (2 * s * s)) * (abs(at_x - x) <= 2 * s)
            down = np.exp(-((at_y - y) ** 2) / (2 * s * s)) * (abs(at_y - y) <= 2 * s)
            f[k] += min(self.c[k, j, i], 1) / there * np.outer(down, across)
        return f

    @staticmethod
    def kernel(size: float) -> float:
        return min(max(size / 2, 0.25), 4)

    def look_up(self, f: np.ndarray, k: int, x: float, y: float) -> float:
        rows, columns = f.shape[1:]
        u, v = (x + 0.5) * RESOLUTION - 0.5, (y + 0.5) * RESOLUTION - 0.5
        r = RESOLUTION
        if not (-r <= u <= columns - 1 + r and -r <= v <= rows - 1 + r):
            return 0.0
        u, v = min(max(u, 0), columns - 1), min(max(v, 0), rows - 1)
        i, j = min(int(u), columns - 2), min(int(v), rows - 2)
        p, q = u - i, v - j
        square = f[k, j : j + 2, i : i + 2]
        return float(min(np.array([1 - q, q]) @ square @ np.array([1 - p, p]), 1))

    def settle(self, k: int, x: float, y: float, least: float) -> tuple[float, ...] | None:
        column = round(min(max(x, 0), self.w - 1))
        row = round(min(max(y, 0), self.h - 1))
        total = np.zeros(5)
        for j in range(max(row - WINDOW, 0), min(row + WINDOW + 1, self.h)):
            for i in range(max(column - WINDOW, 0), min(column + WINDOW + 1, self.w)):
                u, v = self.xy[k, :, j, i]
                s = self.kernel(self.size[k, j, i])
                d = ((u - x) ** 2 + (v - y) ** 2) / (s * s)
                if self.c[k, j, i] < least or d > 4:
                    continue
                b = self.spread[k, j, i]
                g = min(self.c[k, j, i], 1) * math.exp(-d / 2) / max(b, 0.1) ** 2
                total += g * np.array([1, u, v, b, min(self.size[k, j, i], 8)])
        return tuple((total[1:] / total[0]).tolist()) if total[0] > 0 else None

    # -- greedy --------------------------------------------------------------------------------

    def connect(self, e: int, back: bool, xy: np.ndarray) -> tuple[float, np.ndarray, float]:
        c, first, second = self.paf[e]
        (source, b1), (target, b2) = (second, first) if back else (first, second)
        landmark = self.edges[e][0 if back else 1]
        seen = np.array([self.look_up(self.strong, landmark, *t) for t in target])
        c = np.minimum(c, 1) * (self.o.paf_floor + (1 - self.o.paf_floor) * seen)
        c *= (self.paf[e][0] >= self.o.paf_threshold) & (c >= self.o.paf_threshold)
        s = c * np.exp(-np.linalg.norm(source - xy, axis=1) / np.maximum(b1, MIN_SPREAD))
        if not s.max(initial=0) > 0:
            return 0.0, np.zeros(2), 0.0
        best = int(np.argmax(s))
        b = max(b2[best], MIN_SPREAD)
        near = (c > 0) & (np.linalg.norm(target - target[best], axis=1) <= b)
        return float(s[best]), np.average(target[near], axis=0, weights=s[near]), float(b)

    def grow(self, g: Found) -> None:
        tried: set[tuple[int, int]] = set()
        while True:
            proposals = []
            for e, (a, b) in enumerate(self.edges):
                for source, target, back in ((a, b, False), (b, a, True)):
                    if g.scores[source] > 0 and g.scores[target] == 0 and (e, source) not in tried:
                        s, xy, spread = self.connect(e, back, g.xy[source])
                        score = math.sqrt(s * g.scores[source])
                        proposals.append((score, e, source, target, back, xy, spread))
            score, e, source, target, back, xy, spread = max(
                proposals, key=lambda p: p[0], default=(0.0, 0, 0, 0, False, np.zeros(2), 0.0)
            )
            if score < self.o.landmark_threshold or score <= 0:
                return
            tried.add((e, source))
            s, there, _ = self.connect(e, not back, xy)
            tolerance = max(g.sizes[source], MIN_SPREAD)
            if s > 0 and math.dist(there, g.xy[source]) <= tolerance:
                x, y, b, size = self.settle(target, *xy, WEAK) or (*xy, spread, 0.0)
                g.xy[target], g.scores[target] = (x, y), min(score, 1)
                g.spread[target], g.sizes[target] = b, size

    def occupied(self, garments: list[Found], k: int, xy: np.ndarray) -> bool:
        return any(
            g.scores[k] > 0 and math.dist(g.xy[k], xy) < max(g.sizes[k], 0.5) for g in garments
        )

    def nothing(self) -> Found:
        return Found(np.zeros((self.k, 2)), *np.zeros((3, self.k)))

    def greedy(self) -> list[Found]:
        seeds = []
        for k, j, i in np.argwhere(self.c >= self.o.seed_threshold):
            value = self.look_up(self.strong, k, *self.xy[k, :, j, i])
            if value >= self.o.seed_threshold:
                seeds.append((value, k, self.xy[k, :, j, i]))
        garments: list[Found] = []
        for value, k, xy in sorted(seeds, key=lambda seed: -seed[0]):
            if self.occupied(garments, k, xy):
                continue
            g = self.nothing()
            x, y, g.spread[k], g.sizes[k] = self.settle(k, *xy, WEAK) or (*xy, 0.0, 0.0)
            g.xy[k] = x, y
            g.scores[k] = max(self.look_up(self.strong, k, x, y), value)
            self.grow(g)
            garments.append(g)
        kept: list[Found] = []
        for g in sorted(garments, key=lambda g: -g.scores.sum()):
            left = self.nothing()
            for k in np.flatnonzero(g.scores):
                if not self.occupied(kept, k, g.xy[k]):
                    left.xy[k], left.scores[k] = g.xy[k], g.scores[k]
                    left.spread[k], left.sizes[k] = g.spread[k], g.sizes[k]
            found = np.flatnonzero(left.scores)
            joined = any(k in edge for k in found for edge in self.edges)
            enough = len(found) >= self.o.min_landmarks or (len(found) > 0 and not joined)
            if enough and left.scores.sum() / self.k >= self.o.garment_threshold:
                kept.append(left)
        return sorted(kept, key=lambda g: -g.scores.sum())

    # -- single --------------------------------------------------------------------------------

    def best_place(self, k: int, taken: list[np.ndarray]) -> tuple[float, np.ndarray]:
        best, place = 0.0, np.zeros(2)
        for j, i in np.ndindex(self.h, self.w):
            x, y = xy = self.xy[k, :, j, i]
            if self.c[k, j, i] > 0 and -1 <= x <= self.w and -1 <= y <= self.h:
                value = self.look_up(self.weak, k, x, y) + 0.01 * min(self.c[k, j, i], 1)
                if value > best and all(math.dist(t, xy) >= WINDOW for t in taken):
                    best, place = value, xy
        return best, place

    def single(self) -> Found:
        places: list[list[np.ndarray]] = [[] for _ in range(self.k)]
        values: list[list[float]] = [[] for _ in range(self.k)]
        for k in range(self.k):
            while len(places[k]) < 4:
                best, xy = self.best_place(k, places[k])
                if best == 0 or (values[k] and best < 0.25 * values[k][0]):
                    break
                x, y, *_ = self.settle(k, *xy, 0.0) or xy
                places[k].append(np.array([x, y]))
                values[k].append(self.look_up(self.weak, k, x, y))
        chosen = np.zeros(self.k, int)
        for _ in range(10):
            before = chosen.copy()
            for k in range(self.k):
                totals = list(values[k])
                for r in range(len(totals)):
                    for e, (a, b) in enumerate(self.edges):
                        if k in (a, b) and places[a] and places[b]:
                            pick = {a: chosen[a], b: chosen[b], k: r}
                            agreed = self.agreement(e, places[a][pick[a]], places[b][pick[b]])
                            contested = len(places[a]) * len(places[b]) > 1
                            totals[r] += self.o.paf_weight * agreed * contested
                if totals:
                    chosen[k] = int(np.argmax(totals))
            if (chosen == before).all():
                break
        g = self.nothing()
        for k in range(self.k):
            value = values[k][chosen[k]] if values[k] else 0.0
            least = 0 if self.o.force_complete else self.o.landmark_threshold
            if value > 0 and value >= least:
                xy = places[k][chosen[k]]
                x, y, g.spread[k], g.sizes[k] = self.settle(k, *xy, 0.0) or (*xy, 0.0, 0.0)
                g.xy[k], g.scores[k] = (x, y), value
        return g

    def agreement(self, e: int, first: np.ndarray, second: np.ndarray) -> float:
        c, (at1, b1), (at2, b2) = self.paf[e]
        d1 = np.linalg.norm(at1 - first, axis=1) / np.maximum(b1, MIN_SPREAD)
        d2 = np.linalg.norm(at2 - second, axis=1) / np.maximum(b2, MIN_SPREAD)
        counts = (c > WEAK) & (d1 + d2 < 6)
        return float((counts * np.minimum(c, 1) * np.exp(-d1 - d2)).max(initial=0))

    # -- complete ------------------------------------------------------------------------------

    def complete(self, g: Found) -> None:
        limit = max(self.o.landmark_threshold, 1e-3)
        found = g.xy[g.scores > 0]
        ends = np.array([[0, 0], [self.w - 1, self.h - 1]]) if len(found) == 0 else found
        low, high = ends.min(0), ends.max(0)
        margin = 0.5 * (high - low).max() + WINDOW
        low, high = low - margin, high + margin
        while True:
            best = (0.0, 0, np.zeros(2), 0.0)
            for e, (a, b) in enumerate(self.edges):
                for source, target, back in ((a, b, False), (b, a, True)):
                    if g.scores[source] > 0 and g.scores[target] == 0:
                        best = max(
                            best,
                            self.faint(e, back, g.xy[source], target, low, high),
                            key=lambda p: p[0],
                        )
            score, k, xy, spread = best
            if score < WEAK:
                break
            x, y, b, _ = self.settle(k, *xy, WEAK) or (*xy, spread, 0.0)
            g.xy[k], g.scores[k], g.spread[k] = (x, y), limit * min(max(score, 1e-3), 0.99), b
        for k in np.flatnonzero(g.scores == 0):
            value, xy = self.highest(k, low, high)
            if value == 0:
                value, xy = self.highest(k, np.array([-1, -1]), np.array([self.w, self.h]))
            if value == 0:
                xy = (low + high) / 2
            x, y, b, _ = self.settle(k, *xy, 0.0) or (*xy, margin, 0.0)
            g.xy[k] = np.clip((x, y), -0.5, [self.w - 0.5, self.h - 0.5])
            g.scores[k], g.spread[k] = limit * min(max(value, 1e-3), 0.99), b

    def faint(
        self, e: int, back: bool, origin: np.ndarray, k: int, low: np.ndarray, high: np.ndarray
    ) -> tuple[float, int, np.ndarray, float]:
        c, first, second = self.paf[e]
        (source, b1), (target, b2) = (second, first) if back else (first, second)
        s = np.minimum(c, 1) * np.exp(
            -np.linalg.norm(source - origin, axis=1) / np.maximum(b1, MIN_SPREAD)
        )
        s *= [0.1 + 0.9 * self.look_up(self.weak, k, *xy) for xy in target]
        s *= ((target >= low) & (target <= high)).all(1)
        best = int(np.argmax(s))
        return float(s[best]), k, target[best], float(b2[best])

    def highest(self, k: int, low: np.ndarray, high: np.ndarray) -> tuple[float, np.ndarray]:
        best, place = 0.0, np.zeros(2)
        for j, i in np.ndindex(self.h, self.w):
            xy = self.xy[k, :, j, i]
            if self.c[k, j, i] > 0 and (xy >= low).all() and (xy <= high).all():
                value = self.look_up(self.weak, k, *xy) + 0.01 * min(self.c[k, j, i], 1)
                if value > best:
                    best, place = value, xy
        return best, place


def decode_plainly(fields: Fields, options: DecoderOptions) -> list[Found]:
    """Do what `decode_fields` does, slowly."""
    plain = Plain(fields, options)
    garments = [plain.single()] if options.single_instance else plain.greedy()
    if options.force_complete:
        for garment in garments:
            plain.complete(garment)
    return garments
