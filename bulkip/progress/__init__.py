"""What a user sees while a run goes on: drawn lines on a terminal, a line now and then elsewhere."""

from bulkip.progress.plain import Plain
from bulkip.progress.terminal import can_ask, in_pipeline, line_width
from bulkip.progress.tracker import Clocks, Tracker
from bulkip.progress.view import ProgressView, Silent, progress_view

__all__ = [
    "Clocks", "Plain", "ProgressView", "Silent", "Tracker",
    "can_ask", "in_pipeline", "line_width", "progress_view",
]  # fmt: skip
