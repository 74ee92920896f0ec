"""The home's imported labels: dated, versioned, and asked as of a day.

`labels/<version>/` holds `rows.parquet` and `card.json`; a version is never changed. Of each list
the newest version that is not of the future is asked; one of the future only if it was imported
to be.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import polars as pl

from dante.errors import DanteError, UsageError
from dante.labels.networks import NETWORKS, Networks, flatten
from dante.labels.ports import SERVICES
from dante.labels.read import PORTS, Content
from dante.labels.scanners import BenignNetworks, merged

__all__ = ["KINDS", "Book", "Card", "open_book", "save_labels"]

KINDS: Final = ("scanners", "asn", "country", "ports")
_CARD, _ROWS = "card.json", "rows.parquet"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# More refused lines than this are counted, not kept.
_MOST_REFUSED: Final = 1000


@dataclass(frozen=True)
class Card:
    """What one version of a list is.

    Attributes:
        version: name of its folder.
        name: of the list; a later version has the same.
        kind: one of `KINDS`.
        as_of: the day it is of.
        always: it may be asked of days before it too, where no older version is.
        benign: those it names are benign scanners, and what they scan is no threat.
        rows: networks or ports.
        names: organisations, countries or services.
        refused: lines that could not be used.
        refused_lines: the first of them, as `file:line: text`.
        files: names of the files it came from, each with its SHA-256.
    """

    version: str
    name: str
    kind: str
    as_of: date
    always: bool
    benign: bool
    rows: int
    names: int
    refused: int
    refused_lines: tuple[str, ...]
    files: tuple[tuple[str, str], ...]


def save_labels(
    folder: Path, content: Content, *, name: str, as_of: date, always: bool, benign: bool
) -> tuple[Card, bool]:
    """Keep what files held as a version; its card, and whether it was there already.

    Args:
        folder: the home's folder of labels.
        content: of the files.
        name, as_of, always, benign: as on the card.

    Raises:
        UsageError: the name is none for a folder.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} can be no list's name; use up to 64 of a-z, 0-9, - and _, "
            "a letter or digit first"
        )
    rows = content.frame()
    hashed = hashlib.sha256(json.dumps([content.kind, always, benign]).encode())
    hashed.update(rows.write_csv().encode())
    version = f"{name}-{as_of}-{hashed.hexdigest()[:12]}"
    target = folder / version
    card = Card(
        version=version,
        name=name,
        kind=content.kind,
        as_of=as_of,
        always=always,
        benign=benign,
        rows=rows.height,
        names=rows["name"].n_unique(),
        refused=len(content.refused),
        refused_lines=tuple(
            f"{line.file}:{line.line}: {line.text}" for line in content.refused[:_MOST_REFUSED]
        ),
        files=tuple(content.files),
    )
    if (target / _CARD).is_file():
        return card, True
    temporary = target.with_name(f".{version}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    rows.write_parquet(temporary / _ROWS, compression="zstd")
    text = json.dumps(asdict(card), indent=1, default=str, sort_keys=True)
    (temporary / _CARD).write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    return card, False


@dataclass(frozen=True)
class Book:
    """All versions of a home, in the order of their names and days."""

    folder: Path
    cards: tuple[Card, ...]
    _lists: dict[tuple[Card, ...], Networks] = field(default_factory=dict, compare=False)
    _scanners: dict[tuple[Card, ...], BenignNetworks] = field(default_factory=dict, compare=False)

    def as_of(self, kind: str, day: date) -> tuple[Card, ...]:
        """The version of each list of a kind that is asked of a day."""
        chosen = []
        for name in dict.fromkeys(card.name for card in self.cards if card.kind == kind):
            mine = [card for card in self.cards if (card.name, card.kind) == (name, kind)]
            past = [card for card in mine if card.as_of <= day]
            if past:
                chosen.append(past[-1])
            else:
                chosen += [card for card in mine if card.always][:1]
        return tuple(chosen)

    def match(self, kind: str, day: date, senders: pl.Series) -> pl.Series:
        """The name that lists of a kind have for each sender (UInt64) on a day; null if none."""
        return self._networks(self.as_of(kind, day)).match(senders)

    def ranges(self, kind: str, day: date) -> pl.DataFrame:
        """The disjoint networks that lists of a kind name as of a day, a frame of `NETWORKS`."""
        return self._networks(self.as_of(kind, day)).frame()

    def benign(self, day: date, base: BenignNetworks) -> BenignNetworks:
        """The networks of benign scanners on a day: those of lists marked so, and `base`."""
        return self._benign(self._benign_cards(day), base)

    def benign_versions(self, day: date) -> list[str]:
        """The versions that say who is a benign scanner on a day."""
        return [card.version for card in self._benign_cards(day)]

    def ever_benign(self, base: BenignNetworks) -> BenignNetworks:
        """The networks of whoever any version calls a benign scanner, whatever the day."""
        return self._benign(tuple(card for card in self.cards if card.benign), base)

    @cached_property
    def ports(self) -> Mapping[int, str]:
        """Service name by word: the built-in ones, and for other ports those imported last."""
        names: dict[int, str] = {}
        for card in sorted((c for c in self.cards if c.kind == "ports"), key=lambda c: c.as_of):
            names |= dict(self._rows(card).iter_rows())
        return MappingProxyType({**names, **SERVICES})

    def _benign_cards(self, day: date) -> tuple[Card, ...]:
        return tuple(card for card in self.as_of("scanners", day) if card.benign)

    def _benign(self, cards: tuple[Card, ...], base: BenignNetworks) -> BenignNetworks:
        if not cards:
            return base
        if cards not in self._scanners:
            rows = pl.concat([self._rows(card) for card in cards])
            self._scanners[cards] = merged(rows["first"].to_numpy(), rows["last"].to_numpy())
        listed = self._scanners[cards]
        return merged(
            np.concatenate([base.first, listed.first]), np.concatenate([base.last, listed.last])
        )

    def _networks(self, cards: tuple[Card, ...]) -> Networks:
        if cards not in self._lists:
            # Of lists that name the very same network the newest is believed.
            newest = sorted(cards, key=lambda card: (-card.as_of.toordinal(), card.name))
            frames = [self._rows(card) for card in newest]
            self._lists[cards] = flatten(pl.concat([pl.DataFrame(schema=NETWORKS), *frames]))
        return self._lists[cards]

    def _rows(self, card: Card) -> pl.DataFrame:
        schema = PORTS if card.kind == "ports" else NETWORKS
        try:
            frame = pl.read_parquet(self.folder / card.version / _ROWS, glob=False)
            return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _damaged(card.version, error) from None


def open_book(folder: Path) -> Book:
    """The versions in a home's folder of labels; none if there is no such folder.

    Raises:
        DanteError: a version is damaged.
    """
    cards = []
    for path in sorted(folder.glob(f"*/{_CARD}")):
        if path.parent.name.startswith("."):
            continue
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            raw["as_of"] = date.fromisoformat(raw["as_of"])
            raw["refused_lines"] = tuple(raw["refused_lines"])
            raw["files"] = tuple((name, digest) for name, digest in raw["files"])
            card = replace(Card(**raw), version=path.parent.name)
            if card.kind not in KINDS:
                raise ValueError(f"its kind is {card.kind!r}")
            cards.append(card)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise _damaged(path.parent.name, error) from None
    return Book(folder, _ordered(cards))


def _ordered(cards: Sequence[Card]) -> tuple[Card, ...]:
    return tuple(sorted(cards, key=lambda card: (card.name, card.kind, card.as_of, card.version)))


def _damaged(version: str, error: Exception) -> DanteError:
    return DanteError(
        f"the labels {version} are damaged ({error}); delete their folder below labels/ and import "
        "them again"
    )
