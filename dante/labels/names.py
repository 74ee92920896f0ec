"""Names people can say, for life: what a track does, with which tool, and its number."""

from dante.labels.ports import service_name

__all__ = ["track_name"]


def track_name(word: int | None, tool: str | None, track_id: int) -> str:
    """What people call a track: `telnet-mirai-41`, `http-alt-7`, `sweep-zmap-12`.

    Args:
        word: the word that told it apart at its birth; None for one that tries ports by the
            hundred, of which none tells more than the others.
        tool: the tool most of its senders use, by `dante.labels.tools`; None where none is known.
        track_id: its number, which makes the name unique.
    """
    does = "sweep" if word is None else service_name(word)
    return "-".join([does, *([tool] if tool else []), str(track_id)])
