"""The stages of a day, named once, and the ways to go through them: ingest, run, backfill.

Nothing is loaded here: a file is ingested without what clusters, and sooner.
"""
