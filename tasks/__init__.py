"""Thin Prefect tasks around the stages of `dante.pipeline`; they pass dates, paths and ids."""
