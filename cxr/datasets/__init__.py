"""Readers of data sets: one file per data set, found by its name in params.yaml (`ingest.datasets`)."""
