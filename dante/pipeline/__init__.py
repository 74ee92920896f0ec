"""The stages of a day, named once, and the ways to go through them: ingest, run, backfill."""

from dante.pipeline import stages
from dante.pipeline.backfill import Plan, backfill, plan_backfill
from dante.pipeline.context import Context, open_context
from dante.pipeline.ingest import Ingested, ingest_declared, ingest_file, ingest_files
from dante.pipeline.progress import Notify, Step
from dante.pipeline.run import rewind, run_day
from dante.pipeline.stages import PREPARE, STAGES

__all__ = [
    "PREPARE",
    "STAGES",
    "Context",
    "Ingested",
    "Notify",
    "Plan",
    "Step",
    "backfill",
    "ingest_declared",
    "ingest_file",
    "ingest_files",
    "open_context",
    "plan_backfill",
    "rewind",
    "run_day",
    "stages",
]
