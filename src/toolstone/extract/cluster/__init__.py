"""Extraction on a cluster: a desk hands documents out, workers ask, Ray keeps both running."""
