"""The stages of a day, named once, and the ways to go through them: ingest, run, backfill."""

from dante.pipeline import stages
from dante.pipeline.backfill import Plan, backfill, plan_backfill
from dante.pipeline.context import Context, open_context
from dante.pipeline.declared import ingest_declared, pending_files
from dante.pipeline.ingest import (
    Ingested,
    ingest_each,
    ingest_file,
    ingest_files,
    refuse_unread,
)
from dante.pipeline.progress import Notify, Step
from dante.pipeline.retention import Pruned, prune
from dante.pipeline.run import rewind, run_day
from dante.pipeline.spool import spooled
from dante.pipeline.stages import PREPARE, STAGES
from dante.pipeline.vectors import span_vectors

__all__ = [
    "PREPARE",
    "STAGES",
    "Context",
    "Ingested",
    "Notify",
    "Plan",
    "Pruned",
    "Step",
    "backfill",
    "ingest_declared",
    "ingest_each",
    "ingest_file",
    "ingest_files",
    "open_context",
    "pending_files",
    "plan_backfill",
    "prune",
    "refuse_unread",
    "rewind",
    "run_day",
    "span_vectors",
    "spooled",
    "stages",
]
