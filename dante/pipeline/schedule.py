"""Which model a day is judged with: a pure function of the days there are.

A day never sees a model that has seen it, or a later day; only the first day, which has no past,
is judged by a model of itself. A young telescope is given new models quickly, an old one every
`train_every` days.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from dante.config import ModelSettings
from dante.errors import NotEnoughDataError

__all__ = ["Training", "model_for", "training_days"]

# Days of data after which a young telescope is given a new model at once.
_YOUNG = (1, 2, 3, 5)


@dataclass(frozen=True)
class Training:
    """The model a day is to be judged with.

    Attributes:
        model_id: its name, which says what it is made from.
        days: the days it learns from, in order.
    """

    model_id: str
    days: tuple[date, ...]


def training_days(days: Sequence[date], day: date, settings: ModelSettings) -> tuple[date, ...]:
    """The days the model of `day` learns from.

    Args:
        days: days with packets, in order.
        day: the day to be judged; need not have packets yet.
        settings: how often a model is trained, and on how many days.

    Raises:
        NotEnoughDataError: neither it nor any day before it has packets.
    """
    before = [known for known in days if known < day]
    if not before:
        if day not in days:
            raise NotEnoughDataError(
                f"a model for {day} needs packets of that day or an earlier one; ingest some"
            )
        return (day,)
    boundary = max(
        [young for young in _YOUNG if young <= len(before)]
        + [len(before) // settings.train_every * settings.train_every]
    )
    return tuple(before[max(0, boundary - settings.train_window) : boundary])


def model_for(window: Sequence[date], inputs: str, settings: ModelSettings) -> Training:
    """Name the model of a window by its last day and all that it is made from.

    Args:
        window: days it learns from.
        inputs: digest of what was ingested for them.
        settings: how it learns.
    """
    # The schedule decides which window, not what is learnt from it.
    how = settings.model_dump(exclude={"train_every", "train_window"}, mode="json")
    made_from = json.dumps([window[0].isoformat(), window[-1].isoformat(), inputs, how])
    digest = hashlib.sha256(made_from.encode()).hexdigest()[:12]
    return Training(f"w2v-{window[-1]}-{digest}", tuple(window))
