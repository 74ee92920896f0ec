"""Which column of a table is which canonical field."""

import logging
from collections.abc import Sequence
from pathlib import Path

from dante.errors import SourceError
from dante.sources.mapping import FIELDS, Mapping

__all__ = ["choose_columns", "shown"]

_log = logging.getLogger(__name__)


def shown(names: Sequence[str]) -> str:
    """Column names as an error can show them: at most 30, each of at most 40 characters."""
    texts = ["".join(c if c.isprintable() else "?" for c in name[:40]) for name in names[:30]]
    return ", ".join(texts) + (f" and {len(names) - 30} more" if len(names) > 30 else "")


def choose_columns(path: Path, names: Sequence[str], mapping: Mapping) -> dict[str, int]:
    """The position of each field's column, in the order of `FIELDS`.

    Columns that are no field are named in one warning and left out.

    Raises:
        SourceError: a required column (`ts`, `src`, `proto`) or one that the mapping names is
            missing, or a name stands twice.
    """
    wanted = dict(mapping.columns) or {f: f for f in FIELDS if f in names}
    for field, name in wanted.items():
        if name not in names:
            raise SourceError(
                f"{path}: the mapping reads {field!r} from a column {name!r}, which is not there; "
                f"the columns are {shown(names)}"
            )
        if list(names).count(name) > 1:
            raise SourceError(f"{path}: two columns are named {name!r}; name them apart")
    required = ["ts", "src"] + ([] if mapping.proto_default is not None else ["proto"])
    missing = [field for field in required if field not in wanted]
    if missing:
        raise SourceError(
            f"{path}: there is no column {' and no column '.join(map(repr, missing))}; the columns "
            f"are {shown(names)}: say with --mapping which is which"
        )
    chosen = {f: list(names).index(wanted[f]) for f in FIELDS if f in wanted}
    unknown = [name for i, name in enumerate(names) if i not in set(chosen.values())]
    if unknown:
        _log.warning("%s: columns that are not read: %s", path, shown(unknown))
    return chosen
