"""A year of a large telescope as `state.duckdb` has it, made by DuckDB in a few minutes.

Nothing was clustered: rows are drawn by hashes, so that sizes, spans and shares are those of a
telescope and the same call makes the same rows. One track has two fifths of all senders, as Mirai
has; half of a track's senders stay, half are new each day; tracks come, sleep, return, split and
merge.
"""

from datetime import date
from typing import Final

import duckdb

from dante.store.home import Home
from dante.store.state import open_state

__all__ = ["make_year"]

FIRST: Final = date(2025, 1, 1)
_NOISE: Final = 0.35
_LARGEST: Final = 0.4

# A number in 0..1 that depends on its arguments alone.
_MACROS: Final = """
    CREATE TEMP MACRO chance(a, b, c) AS (hash(a, b, c) % 1000000) / 1e6;
    CREATE TEMP MACRO place(a, b, c) AS 16777216 + hash(a, b, c) % 3700000000;
    CREATE TEMP MACRO dotted(n) AS
        concat_ws('.', n // 16777216, n // 65536 % 256, n // 256 % 256, n % 256);
"""

_PLAN: Final = """
    CREATE TEMP TABLE lives AS
    SELECT t, CASE WHEN t <= $tracks // 6 THEN 0
                   ELSE CAST(floor($days * 0.9 * chance(t, 1, 0)) AS INTEGER) END AS born,
           CASE WHEN t <= $tracks // 6 THEN $days
                ELSE 10 + CAST(floor($days * 0.6 * chance(t, 2, 0)) AS INTEGER) END AS long,
           CASE WHEN t = 1 THEN $largest
                ELSE 1 / (t + 4) END AS weight
    FROM (SELECT range + 1 AS t FROM range($tracks));
    CREATE TEMP TABLE worked AS
    -- One track in three is away for 12 of every 40 days.
    SELECT d, t, weight * (0.7 + 0.6 * chance(t, 3, d)) AS weight
    FROM lives, (SELECT range AS d FROM range($days))
    WHERE d BETWEEN born AND born + long AND (t % 3 > 0 OR t <= 20 OR (d - born) % 40 < 28);
    CREATE TEMP TABLE plan AS
    WITH rest AS (SELECT d, sum(weight) FILTER (t > 1) AS weight FROM worked GROUP BY d)
    SELECT d, CAST(t AS INTEGER) AS t, greatest(5, CAST(round($senders * (1 - $noise) *
               CASE WHEN t = 1 THEN $largest
                    ELSE (1 - $largest) * worked.weight / rest.weight END) AS INTEGER)) AS n
    FROM worked JOIN rest USING (d);
"""

_DAY: Final = """
    INSERT INTO memberships
    WITH members AS (
        SELECT t, CASE WHEN i % 2 = 0 THEN place(t, 0, i) ELSE place(t, $d + 1, i) END AS a, i
        FROM (SELECT t, unnest(range(n)) AS i FROM plan WHERE d = $d)
        UNION ALL
        SELECT NULL, place(-1, $d, range), range FROM range($noisy))
    SELECT $first + CAST($d AS INTEGER), dotted(a), t, t - 1, 1 + hash(a, $d) % 40,
           CASE WHEN t IS NULL THEN 0 ELSE 0.5 + (hash(a) % 50) / 100 END, a
    FROM (SELECT DISTINCT ON (a) * FROM members ORDER BY t) ORDER BY a
"""

_TABLES: Final = """
    INSERT INTO track_days
    SELECT day, track_id, count(*), sum(packets),
           list_reduce(list_transform(range(8), lambda k: concat(
               (23 + hash(track_id * 31 + k) % 9000)::VARCHAR,
               CASE WHEN hash(track_id + k) % 4 = 0 THEN '/udp ' ELSE '/tcp ' END,
               (100 - 11 * k)::VARCHAR, '%')), lambda a, b: a || ', ' || b),
           concat(any_value(address // 16777216), '.0.113.0/24 4%, ', track_id % 200 + 1,
                  '.51.100.0/24 3%, ', track_id % 100 + 1, '.0.2.0/24 3%')
    FROM memberships WHERE track_id IS NOT NULL GROUP BY day, track_id ORDER BY day, track_id;

    CREATE TEMP TABLE gaps AS
    SELECT day, track_id, day - lag(day) OVER (PARTITION BY track_id ORDER BY day) AS away,
           lead(day) OVER (PARTITION BY track_id ORDER BY day) AS following
    FROM track_days;
    INSERT INTO lineage (day, track_id, event, related_track_id, similarity, shared_senders)
    SELECT day, track_id, CASE WHEN away IS NULL THEN 'birth' WHEN away > 7 THEN 'recur'
                               ELSE 'continue' END,
           NULL, 0.9, 40 FROM gaps
    UNION ALL
    SELECT day + 8, track_id, 'sleep', NULL, NULL, 0 FROM gaps
    WHERE (following IS NULL OR following - day > 8) AND day + 8 < $first + CAST($days AS INTEGER)
    UNION ALL
    SELECT day, track_id, 'split', 1 + track_id % 20, 0.6, 30 FROM gaps
    WHERE away IS NULL AND track_id > 20 AND track_id % 4 = 0
    UNION ALL
    SELECT day, track_id, 'merge', 1 + track_id % 20, 0.7, 25 FROM gaps
    WHERE following IS NULL AND track_id > 20 AND track_id % 5 = 0
          AND day < $first + CAST($days AS INTEGER) - 9;

    INSERT INTO threats (day, track_id, kind, score, reasons, senders, key, shape, news_day)
    SELECT day, track_id, CASE WHEN away IS NULL THEN 'new' ELSE 'returned' END,
           0.5 + chance(track_id, 9, 0) / 2,
           'unlike any before (nearest telnet-1, likeness 0.31); 40 senders in all try 4711/tcp '
           || 'where 0.6 a day are usual; 40 senders from 31 networks are in it', senders,
           concat(track_id, '@', day), 'campaign', day
    FROM gaps JOIN track_days USING (day, track_id)
    WHERE (away IS NULL OR away > 7) AND day > $first + 3;

    INSERT INTO daily
    SELECT day, sum(packets) * 11 // 10, sum(packets) // 10, count(*),
           count(DISTINCT cluster_id), count(*) FILTER (track_id IS NULL),
           count(DISTINCT track_id), 0, 'w2v-' || strftime(day, '%Y-%m')
    FROM memberships GROUP BY day ORDER BY day;
    UPDATE daily SET births = (SELECT count(*) FROM lineage
                               WHERE lineage.day = daily.day AND event = 'birth');
    INSERT INTO models
    SELECT model_id, min(day), min(day) - 30, min(day), 4000, 50 FROM daily GROUP BY model_id;
    INSERT INTO quality
    SELECT day, 'packets@1.0.0', 'check_' || k, chance(k, CAST(day - $first AS INTEGER), 5) > 0.01,
           '3 silent hours, 1 of 9 sensors: edge-4 02-05 h', 'warning'
    FROM daily, (SELECT range AS k FROM range(15)) ORDER BY day, k;
    INSERT INTO ingests
    SELECT day, 'sensor-' || k || '.csv.gz', md5(concat(day, k)), 300000, 17, TIMESTAMP '2026-01-01'
    FROM daily, (SELECT range AS k FROM range(9)) ORDER BY day, k;
    INSERT INTO runs
    SELECT 'r' || day, 'daily', day, 'completed', CAST(day AS TIMESTAMP), 90.5, NULL FROM daily;

    INSERT INTO threats_held
    SELECT * REPLACE (score / 2 AS score) FROM threats WHERE hash(track_id, day) % 3 = 0
    ORDER BY day, track_id;

    INSERT INTO decisions
    SELECT day, cluster_id, (cluster_id + rival) % $tracks + 1, round(0.99 / (1 + 9 * rival), 4),
           rival = 0, 0.9, 0.8, 0.95, 0.7, 1.5, 0.4
    FROM (SELECT DISTINCT day, track_id - 1 AS cluster_id FROM track_days),
         (SELECT range AS rival FROM range(3)) ORDER BY day, cluster_id, rival;

    INSERT INTO floods
    SELECT day, dotted(a), CASE WHEN k > 0 THEN 'flood' ELSE 'sweep' END,
           CASE WHEN k > 0 THEN (1000 + hash(day, k) % 9000) || '/udp' END,
           CASE WHEN k > 0 THEN 1 ELSE 4000 END, 20000 * (k + 1), 900, 22.0, a
    FROM (SELECT day, k, CAST(place(-1, CAST(day - $first AS INTEGER), k) AS UBIGINT) AS a
          FROM daily, (SELECT range AS k FROM range(5))) ORDER BY day, k;

    -- As many rows as the tracker keeps: one for each day of a track, with its histogram.
    INSERT INTO pipeline.track_states (
        track_id, day, name, state, first_day, last_day, days_active, packets, peak_senders, words,
        weights, senders, news_day, news_away, raised, stability, traits, trait_senders, hours)
    SELECT track_id, day, 'tcp' || (23 + hash(track_id * 31) % 9000) || '-' || track_id,
           CASE WHEN max(day) OVER same > $first + CAST($days AS INTEGER) - 9 THEN 'active'
                ELSE 'asleep' END,
           min(day) OVER same, day, count(*) OVER before, sum(packets) OVER before,
           max(senders) OVER before,
           list_transform(range(64), lambda k: 6 * 65536 + 23 + hash(track_id * 31 + k) % 9000),
           list_transform(range(64), lambda k: 1 / 64),
           list_transform(range(100), lambda k: place(track_id, 0, 2 * k)),
           min(day) OVER same, NULL, 0, 0.5,
           [1 + track_id % 4, 4294967296 + 65, 4294967296 + 129], [0.8 * senders, senders, 9.0],
           list_transform(range(24), lambda k: 1 + hash(track_id, k) % 50)
    FROM track_days
    WINDOW same AS (PARTITION BY track_id),
           before AS (PARTITION BY track_id ORDER BY day ROWS UNBOUNDED PRECEDING)
    ORDER BY day, track_id;
"""


def make_year(home: Home, *, days: int, tracks: int, memberships: int) -> None:
    """Write a state with about so many days, tracks and memberships; it is not published."""
    senders = memberships // days
    asked = {"days": days, "tracks": tracks, "senders": senders, "noise": _NOISE}
    with open_state(home) as state:
        con = state.con
        con.execute("SET preserve_insertion_order = true")
        con.execute(_MACROS)
        _each(con, _PLAN, {**asked, "largest": _LARGEST})
        for day in range(days):
            con.execute(_DAY, {"d": day, "first": FIRST, "noisy": int(senders * _NOISE)})
        _each(con, _TABLES, asked | {"first": FIRST})


def _each(con: duckdb.DuckDBPyConnection, script: str, values: dict[str, object]) -> None:
    """Run the statements of a script, each with those of the values that it names."""
    for statement in con.extract_statements(script):
        named = {name: values[name] for name in statement.named_parameters}
        con.execute(statement, named)
