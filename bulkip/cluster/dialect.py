"""How is what the run store says to SQLite said to PostgreSQL? Few words differ."""

import re
from functools import lru_cache
from typing import Final

from bulkip.store.schema import INDEXES, TABLES

BOOLEANS: Final = frozenset({"writes", "shown", "holds", "decided", "in_doubt", "empty"})
"""The columns that hold yes or no, for which SQLite has no type of its own."""
TYPES: Final = (("TEXT", 'text COLLATE "C"'), ("INTEGER", "bigint"), ("REAL", "double precision"))
"""Texts are compared byte by byte, as there."""
FUNCTIONS: Final = """
CREATE OR REPLACE FUNCTION bulkip.json_extract(whole text, path text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT whole::json ->> substr(path, 3) $$;
CREATE OR REPLACE FUNCTION bulkip.json_set(whole text, path text, value text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '{' || string_agg(
      to_json(one.key) || ':'
        || CASE one.key WHEN substr(path, 3) THEN to_json(json_set.value) ELSE one.value END,
      ',' ORDER BY one.place
    ) || '}' FROM json_each(whole::json) WITH ORDINALITY AS one (key, value, place) $$;
CREATE OR REPLACE FUNCTION bulkip.json_each(whole text) RETURNS TABLE (value text)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT * FROM json_array_elements_text(whole::json) $$;
CREATE OR REPLACE FUNCTION bulkip.json_remove(whole text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT whole $$
"""
"""SQLite's functions on JSON, as far as the run store uses them: fields of one object, texts of one list."""
_JOIN = re.compile(r"\bCROSS JOIN(\s+\w+(?:\s+AS\s+\w+)?\s+ON\b)")


@lru_cache(maxsize=2048)
def translated(sql: str) -> bytes:
    """Return a statement as psycopg takes it; the order of a join is left to the server's statistics."""
    return _JOIN.sub(r"JOIN\1", sql.replace("%", "%%").replace("?", "%s")).encode()


def tables() -> str:
    """Return what makes the tables of a run."""
    made = TABLES.replace("WITHOUT ROWID", "").replace(" leading ", ' "leading" ')  # a word of SQL there
    for column in BOOLEANS:
        made = made.replace(f" {column} INTEGER", f" {column} boolean")
    for theirs, ours in TYPES:
        made = re.sub(rf"\b{theirs}\b", ours, made)
    return made


def indexes() -> str:
    """Return what makes the indexes of a run, once the items are there.

    SQLite looks items up by the primary keys of what is known of them alone.
    """
    return f"{INDEXES}; CREATE INDEX item_chain ON item (chain)"
