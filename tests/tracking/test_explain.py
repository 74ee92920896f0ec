"""Why a cluster continued a track, said in words."""

from dante.tracking.explain import Candidate, explain


def _candidate(
    track: str, probability: float, *, taken: bool = False, cluster: int = 0
) -> Candidate:
    return Candidate(cluster, track, probability, taken, 0.9, 0.8, 1.0, 0.75, 1.2, 0.4)


def test_the_likeliest_track_goes_on() -> None:
    """A match is told with its numbers, and a refusal with who was likelier."""
    first, second = explain(
        [_candidate("telnet-1", 0.97, taken=True), _candidate("ftp-2", 0.2)], {"telnet-1": 0}, {}
    )
    assert first == (
        "continued, no track was likelier: ports 90% alike (rare ones 80%), headers 100%, "
        "hours 75%, its networks 3.3 times likelier the track's than anybody's, "
        "40% of senders shared"
    )
    assert second.startswith("refused, telnet-1 was likelier (0.97): ports 90%")


def test_a_likelier_track_that_went_on_elsewhere_is_named() -> None:
    """Where the likeliest track has another cluster, both sides say so."""
    first, second = explain(
        [_candidate("telnet-1", 0.9, cluster=3), _candidate("ftp-2", 0.6, taken=True, cluster=3)],
        {"telnet-1": 1, "ftp-2": 3},
        {},
    )
    assert first.startswith("refused though likelier than ftp-2, as it went on as cluster 1: ")
    assert second.startswith("continued, as telnet-1 (0.90) went on as cluster 1: ")


def test_a_likelier_track_that_merged_says_into_which() -> None:
    """Where the older of two that merge goes on, both sides say so."""
    first, second = explain(
        [_candidate("upnp-2", 0.8), _candidate("redis-1", 0.1, taken=True)],
        {"redis-1": 0},
        {},
        {"upnp-2": "redis-1"},
    )
    assert first.startswith("refused though likelier than redis-1, as it merged into redis-1: ")
    assert second.startswith("continued, as upnp-2 (0.80) merged into redis-1: ")


def test_a_birth_says_which_tracks_it_was_not() -> None:
    """A cluster that continued nothing names what was born as it, if anything was."""
    tried = [_candidate("telnet-1", 0.3, cluster=3)]
    assert explain(tried, {}, {3: "ssh-9"})[0].startswith(
        "refused, no track was likely enough and ssh-9 was born: "
    )
    assert explain(tried, {}, {})[0].startswith("refused, no track was likely enough: ")


def test_networks_that_speak_against_are_told_so() -> None:
    """A negative logarithm is so many times less likely."""
    against = Candidate(0, "a-1", 0.5, True, 0.9, 0.8, 1.0, 0.75, -1.2, 0)
    assert (
        "its networks 3.3 times less likely the track's than anybody's"
        in explain([against], {}, {})[0]
    )
