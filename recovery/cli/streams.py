"""Standard output and error for as long as somebody reads them: what is done matters, not what is said."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

# A closed terminal, and `| head` that has read enough.
_NOBODY_READS = (errno.EIO, errno.EPIPE)


class _Forgiving(io.FileIO):
    """A file that takes everything once nobody reads it any more."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _NOBODY_READS:
                raise
            return memoryview(data).nbytes


def write_to_whoever_listens() -> None:
    """Have our output go on whatever becomes of whoever reads it, also in a shell of another alphabet."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper):
            if stream is getattr(sys, f"__{name}__"):
                setattr(sys, name, _forgiving(stream))
            else:
                stream.reconfigure(errors="replace")


def _forgiving(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    file = io.BufferedWriter(_Forgiving(stream.fileno(), "w", closefd=False))
    return io.TextIOWrapper(file, stream.encoding, errors="replace", line_buffering=stream.line_buffering)
