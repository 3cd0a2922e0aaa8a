"""What can be watched on a terminal, with nothing needed but this repository; `make demo-cluster` runs it."""
