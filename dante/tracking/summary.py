"""What a day's tracks did, in the words and numbers that are published."""

import polars as pl

from dante.schema import address_text, word_text

__all__ = ["network", "top_networks", "top_ports"]

_PORTS = 8
_NETWORKS = 3


def network() -> pl.Expr:
    """The first sender number of a sender's /24 network (IPv6: /48), from column `src`."""
    wide = pl.col("src") >= 1 << 32
    return (
        pl.when(wide)
        .then(pl.col("src") // 65536 * 65536)
        .otherwise(pl.col("src") // 256 * 256)
        .alias("network")
    )


def top_ports(senders: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Each track's ports by the share of its senders that tried them.

    Args:
        senders: frame of `dante.sequences.SENDERS`.
        members: src and track_id of the day's members, noise left out.

    Returns:
        track_id and top_ports, text such as `23/tcp 100%, 2323/tcp 41%`.
    """
    sizes = members.group_by("track_id").agg(size=pl.len())
    used = (
        members.join(senders.select("src", "words"), on="src")
        .explode("words", empty_as_null=False)
        .group_by("track_id", "words")
        .agg(n=pl.len())
        .sort(["track_id", "n", "words"], descending=[False, True, False])
        .group_by("track_id", maintain_order=True)
        .head(_PORTS)
        .join(sizes, on="track_id", maintain_order="left")
    )
    names = {word: word_text(word) for word in used["words"].unique()}
    return _lines(used, pl.col("words").replace_strict(names, return_dtype=pl.String), "top_ports")


def top_networks(members: pl.DataFrame) -> pl.DataFrame:
    """Each track's /24 networks (IPv6: /48) by the share of its senders in them.

    Returns:
        track_id and top_networks, text such as `203.0.113.0/24 62%, 198.51.100.0/24 9%`.
    """
    sizes = members.group_by("track_id").agg(size=pl.len())
    used = (
        members.with_columns(network())
        .group_by("track_id", "network")
        .agg(n=pl.len())
        .sort(["track_id", "n", "network"], descending=[False, True, False])
        .group_by("track_id", maintain_order=True)
        .head(_NETWORKS)
        .join(sizes, on="track_id", maintain_order="left")
    )
    text = address_text(used["network"]).str.replace(r"/64$", "")
    used = used.with_columns(text=text)
    suffix = pl.when(pl.col("network") >= 1 << 32).then(pl.lit("/48")).otherwise(pl.lit("/24"))
    return _lines(used, pl.col("text") + suffix, "top_networks")


def _lines(used: pl.DataFrame, label: pl.Expr, name: str) -> pl.DataFrame:
    percent = (pl.col("n") * 100 / pl.col("size")).round().cast(pl.Int64).cast(pl.String)
    return (
        used.with_columns(part=label + " " + percent + "%")
        .group_by("track_id", maintain_order=True)
        .agg(pl.col("part").str.join(", ").alias(name))
    )
