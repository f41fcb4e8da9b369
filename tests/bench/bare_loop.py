"""The reference of `pack-1000-azurite`: what a pod asks storage for, by obstore and threads, nothing else.

Its argument is a JSON file: the store's account, container, endpoint and key, the paths of each sensor (its
prediction, and what is read), a prediction's size and metadata, threads. The predictions' folder is listed,
readers read; writers put as many bytes as a prediction has.
"""

import json
import os
import queue
import sys
import threading
from pathlib import Path

from obstore.store import AzureStore

told = json.loads(Path(sys.argv[1]).read_text())
store = AzureStore(
    told["container"],
    config={"account_name": told["account"], "account_key": told["key"], "endpoint": told["endpoint"]},
    client_options={"allow_http": True},
    retry_config={"max_retries": 0},
)
data = os.urandom(told["size"])
waiting = iter(told["sensors"])
taking = threading.Lock()
behind: "queue.Queue[str | None]" = queue.Queue(64)


def read() -> None:
    """One reader thread."""
    while True:
        with taking:
            sensor = next(waiting, None)
        if sensor is None:
            return
        for path in sensor["reads"]:
            store.get(path).bytes().to_bytes()
        behind.put(sensor["prediction"])


def write() -> None:
    """One writer thread."""
    while (path := behind.get()) is not None:
        store.put(path, data, attributes=told["metadata"], mode="create", use_multipart=False)


folder = told["sensors"][0]["prediction"].rpartition("/")[0]
there = {found["path"] for page in store.list(folder) for found in page}
readers = [threading.Thread(target=read) for _ in range(told["readers"])]
writers = [threading.Thread(target=write) for _ in range(told["writers"])]
for thread in [*readers, *writers]:
    thread.start()
for thread in readers:
    thread.join()
for _ in writers:
    behind.put(None)
for thread in writers:
    thread.join()
os._exit(0)
