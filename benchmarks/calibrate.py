"""How probable is it that two groups of senders are one? Fits the weights of both models.

    python -m benchmarks.calibrate [--seeds 11 12 13 14] [--days 30] [--senders 2000]

Telescopes of preset `hard` are simulated and clustered day by day. Of a day, each pair of clusters
is held against each other (`dante.clustering.fragments`), and each cluster against what each true
campaign has shown before (`dante.tracking.match`): the memory of a tracker that made no mistake.
Each pair of which the truth says whether it is one is a case of a logistic regression; clusters of
which less than 70 % are one campaign are left out. Printed are the weights, and the errors
and log loss of four folds, a telescope each, so that no telescope judges itself. Takes some
minutes. The seeds must be others than those that anything is measured on.
"""

import argparse
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from dante.clustering import fragments
from dante.clustering.chance import misconfigured
from dante.clustering.day import density_labels
from dante.clustering.evidence import Evidence, evidence_of
from dante.clustering.histogram import Histogram, histogram, mixed, scaled
from dante.clustering.refine import groups_of, refine
from dante.config import Settings
from dante.embedding import PortModel, train_model
from dante.pipeline.schedule import training_days
from dante.sequences import TRAITS, day_sequences
from dante.simulate import Scenario, simulate_days
from dante.tracking import match
from dante.tracking.track import MEMBERS, Track

__all__ = ["main"]

_PURE: Final = 0.7
_SOME: Final = 0.02
_FEWEST: Final = 3
_HEADERS: Final = ("tool", "ttl", "ttl_varies", "window", "tcp_length", "ip_id", "one_sport")
_NO_DAY: Final = dt.date(1970, 1, 1)


@dataclass
class Cases:
    """Pairs with their numbers, whether they are one, and the telescope they are of."""

    names: tuple[str, ...]
    rows: list[list[float]]
    one: list[bool]
    telescope: list[int]

    def add(self, likeness: Any, pair: tuple[int, int], one: bool, telescope: int) -> None:
        """Add a pair."""
        self.rows.append([float(likeness[name][pair]) for name in self.names])
        self.one.append(one)
        self.telescope.append(telescope)

    def fit(self, title: str) -> None:
        """Print the weights and how well they do on telescopes they were not fitted on."""
        x, y = np.array(self.rows), np.array(self.one)
        model = LogisticRegression(C=1.0, max_iter=10_000)
        folds = GroupKFold(len(set(self.telescope)))
        odds = cross_val_predict(
            model, x, y, groups=self.telescope, cv=folds, method="predict_proba"
        )[:, 1]
        loss = -np.log(np.where(y, odds, 1 - odds)).mean()
        wrong = int(((odds > 0.5) & ~y).sum()), int(((odds <= 0.5) & y).sum())
        model.fit(x, y)
        weights = dict(zip(self.names, model.coef_[0].round(3).tolist(), strict=True))
        print(f"{title}: {len(y)} pairs, {int(y.sum())} of them one; taken for one {wrong[0]}, ")
        print(f"  not known {wrong[1]}, log loss {loss:.4f}")
        print(f"  { ({'1': round(float(model.intercept_[0]), 3)} | weights) }")


@dataclass
class Known:
    """What a campaign has shown, and who it was."""

    track: Track
    last_seen: dict[int, dt.date]


def _telescope(scenario: Scenario, headers: bool) -> Iterator[tuple[Any, pl.DataFrame, PortModel]]:
    settings = Settings(home=Path("unused")).model
    days: list[dt.date] = []
    frames: dict[dt.date, pl.DataFrame] = {}
    models: dict[tuple[dt.date, ...], PortModel] = {}
    for simulated in simulate_days(scenario):
        made = day_sequences(simulated.packets.lazy(), sentence_words=settings.sentence_words)
        senders = made.senders
        if not headers:
            senders = senders.with_columns(
                pl.lit(None, dtype=TRAITS[name]).alias(name) for name in _HEADERS
            )
        days.append(simulated.day)
        frames[simulated.day] = senders
        window = training_days(days, simulated.day, settings)
        if window not in models:
            models = {
                window: train_model(
                    ((day, frames[day]) for day in window), settings, model_id="m", inputs=""
                )
            }
        yield simulated, senders, models[window]


def _same_day(
    cases: Cases, evidence: Evidence, labels: NDArray[np.int64], truth: list[str | None],
    model: PortModel, telescope: int, everyday_share: float,
) -> None:  # fmt: skip
    groups = groups_of(evidence, labels)
    own = [_campaign(truth, np.flatnonzero(labels == label)) for label in range(len(groups))]
    likeness = fragments.same_day_likeness(
        evidence, labels, groups, model, everyday_share=everyday_share
    )
    for one in range(len(groups)):
        for other in range(one):
            linked = likeness["ports"][one, other] >= _SOME
            if own[one] and own[other] and linked:
                cases.add(likeness, (one, other), own[one] == own[other], telescope)


def _campaign(truth: Sequence[str | None], rows: NDArray[np.int64]) -> str | None:
    names = [truth[row] for row in rows.tolist()]
    most = max(set(names), key=lambda name: (names.count(name), str(name)))
    return most if names.count(most) >= _PURE * len(names) else None


def _against_memory(
    cases: Cases, known: dict[str, Known], evidence: Evidence, labels: NDArray[np.int64],
    truth: list[str | None], model: PortModel, day: dt.date, telescope: int, settings: Settings,
) -> None:  # fmt: skip
    if not known:
        return
    groups = groups_of(evidence, labels)
    names = sorted(known)
    tracks = [known[name].track for name in names]
    members = pl.DataFrame(
        [
            (src, known[name].track.track_id, last)
            for name in names
            for src, last in known[name].last_seen.items()
        ],
        schema=MEMBERS,
        orient="row",
    )
    inside = np.flatnonzero(labels >= 0)
    clustered = pl.DataFrame(
        {"src": evidence.src[inside], "cluster_id": labels[inside].astype(np.int32)}
    )
    sizes = np.bincount(labels[inside]).astype(np.int64)
    overlap = match.sender_overlap(clustered, sizes, tracks, members)
    _, likeness = match.probabilities(
        groups, tracks, overlap, model, evidence, day,
        everyday_share=settings.cluster.everyday_share, min_senders=settings.cluster.min_senders,
    )  # fmt: skip
    for label in range(len(groups)):
        own = _campaign(truth, np.flatnonzero(labels == label))
        if own is None:
            continue
        for column, name in enumerate(names):
            if likeness["ports"][label, column] >= _SOME:
                cases.add(likeness, (label, column), own == name, telescope)


def _remember(
    known: dict[str, Known], evidence: Evidence, truth: list[str | None], day: dt.date,
    settings: Settings,
) -> None:  # fmt: skip
    names = np.array([name or "" for name in truth])
    for name in sorted(set(names.tolist()) - {""}):
        rows = np.flatnonzero(names == name)
        if len(rows) < _FEWEST:
            continue
        today = histogram(evidence, rows)
        before = known.get(name)
        if before is None:
            known[name] = before = Known(_track(len(known) + 1, today, day), {})
        else:
            shown = mixed(scaled(before.track.shown, settings.track.keep), today)
            before.track = replace(before.track, shown=shown, last_day=day)
        before.last_seen |= dict.fromkeys(evidence.src[rows].tolist(), day)
        oldest = day - dt.timedelta(days=settings.track.window)
        before.last_seen = {src: last for src, last in before.last_seen.items() if last >= oldest}


def _track(number: int, shown: Histogram, day: dt.date) -> Track:
    none = np.empty(0, dtype=np.uint64)
    return Track(
        track_id=number, name="", state="active", first_day=day, last_day=day, days_active=1,
        packets=0, peak_senders=0, size=0.0, shown=shown, senders=none, news_day=_NO_DAY,
        news_away=None, raised=0, stability=0.0,
    )  # fmt: skip


def _fit(seeds: Sequence[int], days: int, senders: int, headers: bool) -> None:
    settings = Settings(home=Path("unused"))
    which = 0 if headers else 1
    same_names, match_names = (
        tuple(name for name in (module.WITH_HEADERS, module.PORTS_ONLY)[which] if name != "1")
        for module in (fragments, match)
    )
    same, past = Cases(same_names, [], [], []), Cases(match_names, [], [], [])
    least, share = settings.cluster.min_senders, settings.cluster.everyday_share
    for seed in seeds:
        known: dict[str, Known] = {}
        scenario = Scenario.preset("hard", days=days, senders=senders, seed=seed)
        for simulated, everyone, model in _telescope(scenario, headers):
            astray = misconfigured(everyone, least)
            chosen = everyone.filter(~pl.col("src").is_in(astray.implode()))
            evidence = evidence_of(chosen)
            members = simulated.members.select("src", "campaign")
            truth = (
                chosen.select("src")
                .join(members, on="src", how="left", maintain_order="left")["campaign"]
                .to_list()
            )
            labels, _ = density_labels(chosen, model, settings.cluster)
            labels = refine(evidence, labels, min_senders=least)
            _same_day(same, evidence, labels, truth, model, seed, share)
            labels = fragments.join_fragments(
                evidence, labels, model, everyday_share=share, surely=settings.cluster.join
            )
            _against_memory(
                past, known, evidence, labels, truth, model, simulated.day, seed, settings
            )
            _remember(known, evidence, truth, simulated.day, settings)
    title = "with headers" if headers else "ports only"
    same.fit(f"fragments, {title}")
    past.fit(f"match, {title}")


def main() -> None:
    """Print the weights of all four models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--senders", type=int, default=2000)
    given = parser.parse_args()
    for headers in (True, False):
        _fit(given.seeds, given.days, given.senders, headers)


if __name__ == "__main__":
    main()
