"""Benchmarks: reports, never timed tests. ``make bench`` runs them; see ``bench/__main__.py``."""
