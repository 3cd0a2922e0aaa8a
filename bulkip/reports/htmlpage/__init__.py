"""The report for a browser: one page that shows a whole run and asks nobody for anything."""

from bulkip.reports.htmlpage.page import html_lines

__all__ = ["html_lines"]
