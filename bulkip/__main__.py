"""Run bulkip as `python -m bulkip`."""

from bulkip.cli import main

main()
