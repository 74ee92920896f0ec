"""Profiles of senders: which are one, and where in a model they lie."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.embedding import PortModel, day_profiles, embed_profiles
from dante.sequences import SENDERS
from tests.embedding.conftest import crowd_of_trades, senders_of, trained

COUNTS = st.dictionaries(st.integers(1, 6), st.integers(1, 300), min_size=1, max_size=5)


@given(crowd=st.lists(COUNTS, max_size=30), least=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_profiles_group_senders_that_differ_by_a_factor_only(
    crowd: list[dict[int, int]], least: int
) -> None:
    """Every sender has the profile of its words by powers of two, and profiles are distinct."""
    senders = pl.DataFrame(
        [
            {
                "src": src,
                "packets": sum(counts.values()),
                "sentence": sorted(counts),
                "words": sorted(counts),
                "counts": [counts[word] for word in sorted(counts)],
            }
            for src, counts in enumerate(crowd)
        ],
        schema=SENDERS,
    )
    made = day_profiles(senders, min_senders=least)
    users = {word: sum(word in counts for counts in crowd) for word in range(1, 7)}
    wanted = {}
    for src, counts in enumerate(crowd):
        steps = {w: n.bit_length() - 1 for w, n in counts.items() if users[w] >= least}
        if steps:
            low = min(steps.values())
            wanted[src] = {w: min(step - low, 5) + 1 for w, step in steps.items()}
    dense = made.use.toarray()
    rows = {
        int(src): {
            int(word): int(use) for word, use in zip(made.words, dense[profile], strict=True) if use
        }
        for src, profile in zip(made.src, made.profile, strict=True)
    }
    assert rows == wanted
    assert len({tuple(row) for row in dense.tolist()}) == len(dense) == len(made.senders)
    assert made.senders.tolist() == np.bincount(made.profile, minlength=len(dense)).tolist()


def test_vectors_of_profiles_do_not_depend_on_the_order_ofsenders_of(model: PortModel) -> None:
    """Shuffled senders get the same vectors, each its own."""
    crowd = crowd_of_trades()
    vectors = {}
    for name, senders in (
        ("in order", crowd),
        ("shuffled", crowd.sample(fraction=1, shuffle=True, seed=3)),
    ):
        made = day_profiles(senders, min_senders=3)
        points = embed_profiles(made, model, everyday_share=0.01, header_weight=0.1)
        assert np.allclose(np.linalg.norm(points, axis=1), 1)
        vectors[name] = points[made.profile]
    assert np.array_equal(vectors["in order"], vectors["shuffled"])


def test_senders_of_the_only_two_ports_have_a_vector() -> None:
    """On a telescope that sees two ports only, senders of both are embedded like others."""
    senders = senders_of([[22, 23]] * 20)
    made = day_profiles(senders, min_senders=5)
    assert np.isfinite(
        embed_profiles(made, trained(senders), everyday_share=0.01, header_weight=0.1)
    ).all()
