"""The door of PostgreSQL and of procrastinate, which come with the extra `cluster`."""
