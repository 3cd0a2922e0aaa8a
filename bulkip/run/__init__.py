"""A whole run: the only place that wires the parts together."""

from bulkip.run.rehearsal import seeds_of_job

__all__ = ["seeds_of_job"]
