"""The worker process: holds one model and answers requests of the desk in order.

Its parent writes one line of JSON to its standard input: a secret, the address to connect to, and the model to open.
The input stays open; when it closes, the parent has ended and so does this process.
"""

import json
import os
import shutil
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe.errors import ProbeError, is_out_of_memory
from probe.lab.wire import WORKER, Closed, WireError, prove, receive, send
from probe.threads import give_way

if TYPE_CHECKING:
    from probe.lab.opened import Opened

LINE = 2**16  # bytes of the line on standard input
ENDING = 10.0  # seconds that the removal of a folder and the saving of work may take


def main() -> int:
    """Open the model and answer requests until the desk ends."""
    give_way()  # before torch is loaded
    known = json.loads(sys.stdin.buffer.readline(LINE))
    address = known["address"]
    watching = threading.Thread(target=_end_with_parent, args=(address,), daemon=True)
    watching.start()
    connection = socket.socket(socket.AF_UNIX) if isinstance(address, str) else socket.socket()
    with connection:
        connection.connect(address if isinstance(address, str) else tuple(address))
        prove(connection, bytes.fromhex(known["secret"]), WORKER)
        try:
            serve(connection, lambda tell: _open(known["source"], known["setup"], tell))
        except (Closed, WireError) as error:
            print(f"probe lab: {error}", file=sys.stderr)  # noqa: T201  the log of this process
            if isinstance(error, Closed):  # the parent has ended, and its folder is being removed
                watching.join(ENDING)
        except KeyboardInterrupt:  # work in progress was saved
            return 1
    return 0


def serve(connection: socket.socket, open_: "Callable[[Callable[[str], None]], Opened]") -> None:
    """Open a model and answer requests until the other side ends.

    `open_` is given a function that tells the other side what it is doing.

    Raises:
        Closed: once it has ended.
        WireError: if it sends an invalid frame.
    """
    try:
        opened = open_(lambda doing: send(connection, _progress(0, 0, doing)))
        known_by = opened.known_by()
    except Exception as error:
        send(connection, _sentence(error, "opening the model"))
        return
    send(connection, {"frame": "open", "known_by": known_by})
    while True:
        record, arrays = receive(connection)
        head: dict[str, Any] = {"id": record.get("id")}
        frame, found = respond(opened, record.get("request"), arrays, lambda told: send(connection, head | dict(told)))  # noqa: B023  called before the next
        try:
            send(connection, head | frame, found)
        except WireError as error:  # it is too large
            send(connection, head | {"frame": "refused", "sentence": str(error)})


def respond(
    opened: "Opened", request: Any, arrays: Mapping[str, Any], tell: Callable[[Mapping[str, Any]], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The frame and arrays that answer a request. Every error becomes a message; the process continues."""
    from probe.lab.opened import Asked
    from probe.lab.requests import read

    try:
        what = read(request)
        with _ends(what.keeps):
            asked = Asked(opened, arrays, lambda done, total, said: tell(_progress(done, total, said)))
            found = what.answer(asked)
    except Exception as error:
        return _sentence(error, "answering"), {}
    return {"frame": "answer", "answer": dict(found.record), "pure": what.pure}, dict(found.arrays)


def _progress(done: int, total: int, said: str) -> dict[str, Any]:
    return {"frame": "progress", "done": int(done), "total": int(total), "said": said}


def _sentence(error: Exception, doing: str) -> dict[str, Any]:
    if isinstance(error, ProbeError) and not isinstance(error, Closed):
        return {"frame": "refused", "sentence": str(error)}
    if isinstance(error, Closed):
        raise error
    if is_out_of_memory(error):
        return {"frame": "refused", "sentence": f"memory ran out while {doing}; ask for fewer rows or a smaller method"}
    traceback.print_exc()  # into the log
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return {"frame": "defect", "sentence": f"{doing} failed in a way that is a defect of probe's own: {said}"}


class _ends:
    """During work that saves what is finished, SIGTERM acts like Ctrl-C; otherwise it ends the process."""

    def __init__(self, keeps: bool) -> None:  # noqa: FBT001  its one argument
        self._keeps = keeps and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> None:
        if self._keeps:
            self._before = signal.signal(signal.SIGTERM, _interrupt)

    def __exit__(self, *_: object) -> None:
        if self._keeps:
            signal.signal(signal.SIGTERM, self._before)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _open(source: Mapping[str, str], setup: Mapping[str, Any], tell: Callable[[str], None]) -> "Opened":
    tell("loading PyTorch")
    from probe.lab.opened import open_source
    from probe.lab.process import Setup
    from probe.lab.sources import Source

    tell("reading the model and its data")
    return open_source(Source(**source), Setup(**setup))


def _end_with_parent(address: Any) -> None:
    """End when standard input closes: saving has a few seconds, then the parent's folder is removed."""
    while sys.stdin.buffer.read(LINE):
        pass
    if isinstance(address, str):
        shutil.rmtree(Path(address).parent, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(ENDING)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
