"""What senders do in company without being one activity: hit a port by chance, call one address."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.schema import TCP, UDP

__all__ = ["fewest_senders", "misconfigured"]

_PORTS: Final = 65_536
_FIRST_IPV6: Final = 1 << 32
# Ports that reach the threshold by chance on a day, in all.
_BY_CHANCE: Final = 0.1
# Below this share of untouched ports their number says little about the rate.
_UNTOUCHED: Final = 0.02
# A word's share at one address, against what an even spread over all addresses would give.
_TIMES_EVEN: Final = 20


def fewest_senders(senders: pl.DataFrame, least: int) -> int:
    """How many senders a port must have on a day so that it is more than chance.

    Senders that pick ports at random, each for itself, put a Poisson number of them on every port;
    its rate is read off the share of ports that nobody touched. With few senders the answer is
    `least`, with half a million it is higher, and so one setting serves telescopes of any size.

    Args:
        senders: frame of `dante.sequences.SENDERS`.
        least: the answer is never below.
    """
    from scipy.stats import poisson

    words = senders.select(pl.col("words").explode(empty_as_null=False)).group_by("words").len()
    answer = least
    for proto in (TCP, UDP):
        users = words.filter(pl.col("words") // _PORTS == proto)["len"].to_numpy()
        rate = _rate(users)
        answer = max(answer, int(poisson.isf(_BY_CHANCE / _PORTS, rate)) + 1)
    return answer


def _rate(users: NDArray[np.uint32]) -> float:
    untouched = 1 - len(users) / _PORTS
    if untouched > _UNTOUCHED:
        return float(-np.log(untouched))
    return float(np.median(np.concatenate([users, np.zeros(_PORTS - len(users), users.dtype)])))


def misconfigured(senders: pl.DataFrame, least: int) -> pl.Series:
    """Senders that call one watched address in company: whoever scans calls many.

    A sender of few packets calls one address by chance; but of a port's senders that do, no more
    share an address than an even spread would have them, unless something points them there.
    A /64 of IPv6 is no address: whoever scans inside one calls many that have one number.

    Args:
        senders: frame of `dante.sequences.SENDERS`.
        least: fewer senders of one port and address are no company.

    Returns:
        Their `src`, sorted; none where the source has no destinations.
    """
    single = (
        senders.filter(pl.col("target") < _FIRST_IPV6)
        .select("src", "target", "words")
        .explode("words", empty_as_null=False)
    )
    addresses = single["target"].n_unique()
    users = single.group_by("words").agg(users=pl.len())
    pairs = (
        single.group_by("words", "target")
        .agg(together=pl.len())
        .join(users, on="words")
        .filter(
            pl.col("together") >= least,
            pl.col("together") * addresses >= _TIMES_EVEN * pl.col("users"),
        )
    )
    found = single.join(pairs, on=["words", "target"], how="semi")["src"]
    return found.unique().sort()
