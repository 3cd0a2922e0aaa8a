"""How the store of a run is opened, wherever it is."""

from pathlib import Path

from bulkip.store.filedatabase import FileDatabase, open_file
from bulkip.store.home import Home, RemoteRun, SharedDatabase
from bulkip.store.schema import storage_errors, store_path


def place_of(home: Home) -> Path | RemoteRun:
    """Return how the store of a run is named to people: its file, or its place in a database."""
    return home if isinstance(home, RemoteRun) else store_path(home)


def open_home(home: Home, mode: str) -> FileDatabase | SharedDatabase:
    """Open the store of a run, `ro` to read or `rw` to write; raises StoreError when it is none of ours."""
    with storage_errors(place_of(home)):
        return home.connect() if isinstance(home, RemoteRun) else open_file(store_path(home), mode)
