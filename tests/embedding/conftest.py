"""Small crowds of senders, and models of them."""

import datetime as dt

import polars as pl
import pytest

from dante.config import ModelSettings
from dante.embedding import PortModel, train_model
from dante.sequences import SENDERS

DAY = dt.date(2025, 3, 1)
TCP = 6 * 65536
SMALL = ModelSettings(dimensions=16, epochs=2, train_words=20_000)


def senders_of(sentences: list[list[int]]) -> pl.DataFrame:
    """A day's senders, each of these ports in order."""
    rows = []
    for src, ports in enumerate(sentences):
        words = sorted({TCP + port for port in ports})
        counts = [sum(TCP + port == word for port in ports) for word in words]
        rows.append(
            {
                "src": src,
                "packets": len(ports),
                "sentence": [TCP + port for port in ports],
                "words": words,
                "counts": counts,
            }
        )
    return pl.DataFrame(rows, schema=SENDERS)


def crowd_of_trades() -> pl.DataFrame:
    """Three trades of thirty senders each, and some who try one port only."""
    trades = [[23, 2323, 26], [445, 139, 135, 3389], [80, 8080, 443, 8443, 81]]
    sentences = [
        [trade[(i + k) % len(trade)] for k in range(12)] for trade in trades for i in range(30)
    ]
    return senders_of(sentences + [[53]] * 10)


def trained(senders: pl.DataFrame, how: ModelSettings = SMALL) -> PortModel:
    """A model of one day."""
    return train_model([(DAY, senders)], how, model_id="m", inputs="i")


@pytest.fixture(scope="module")
def model() -> PortModel:
    """A model of the crowd."""
    return trained(crowd_of_trades())
