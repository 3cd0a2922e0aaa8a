"""A whole run: the only place that wires the parts together; its modules are imported one by one."""
