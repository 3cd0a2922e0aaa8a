"""What a job file asks for: read strictly, checked as a whole, every mistake at once."""

from bulkip.settings.frozen import frozen_settings, thawed_job
from bulkip.settings.job import Job, LoadedJob, load_job
from bulkip.settings.narrowing import narrowed, of_shard

__all__ = ["Job", "LoadedJob", "frozen_settings", "load_job", "narrowed", "of_shard", "thawed_job"]
