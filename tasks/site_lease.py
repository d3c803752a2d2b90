"""One recovery at a time for the whole site: taken before the first look, proven before every action."""

from __future__ import annotations

import contextvars
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recovery.adapters.site_lease import HeldLease, Holder, SiteLease
from recovery.errors import Busy, RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.journal import current_journal
from recovery.lease import acting_only_while, hold_lease
from recovery.ownership import open_ours, read_ours
from recovery.site import site
from tasks.current_incident import SITE_HELD
from tasks.step import warn

_RELEASE_SECONDS = 5.0
_PROVEN_SECONDS = 2.0  # actions that follow each other at once ask once


@contextmanager
def holding_site(incident: str, *, take_over: str | None = None) -> Iterator[None]:
    """Hold this site while the block runs: the lock of this machine, and the lease in the evidence bucket.

    `take_over` is the reason for taking it from a holder that is not known to be dead. When the bucket does not
    answer, only this machine's lock holds, and that is said.
    Raises: Busy when another recovery holds it, naming that; in every action after somebody took it over.
    """
    settings = site().settings.site
    with hold_lease(settings.state_dir, "recovery"):
        held = _Held(site().lease, _holder(incident))
        try:
            known = SITE_HELD.set(held.take(take_over))
            with acting_only_while(held.require):
                yield
            SITE_HELD.reset(known)
        finally:
            held.end()


class _Held:
    """The lease while it is renewed beside the work, and proven before every action."""

    def __init__(self, lease: SiteLease, holder: Holder) -> None:
        self._lease, self._holder = lease, holder
        self._held: HeldLease | None = None
        self._lost: Busy | None = None
        self._over = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._proven_at = 0.0
        self._silent_since: float | None = None
        self._renewing: threading.Thread | None = None

    def take(self, take_over: str | None) -> dict[str, Any] | None:
        """Take it, or say that only this machine's lock holds; what the incident is to know of it."""
        try:
            self._held = self._lease.take(self._holder, take_over=take_over is not None)
        except (TargetUnreachable, SettingsInvalid) as error:
            _warn_of_only_here("taken", error)
            return None
        self._proven_at = time.monotonic()
        if take_over:
            warn(f"this site was taken over: {take_over}")
        context = contextvars.copy_context()
        self._renewing = threading.Thread(target=context.run, args=(self._keep,), daemon=True, name="site lease")
        self._renewing.start()
        return {"token": self._held.token, "holder": self._holder.run} | ({"reason": take_over} if take_over else {})

    def require(self) -> None:
        """Whether it is still ours, as far as anybody can know: a bucket that is silent by now is not asked again.

        Raises: Busy.
        """
        if self._held and self._silent_since is None and time.monotonic() - self._proven_at > _PROVEN_SECONDS:
            self._renew()
        if self._lost:
            raise self._lost

    def end(self) -> None:
        """Let go of it."""
        self._over.set()
        if self._held is None or self._lost or not self._one_at_a_time.acquire(timeout=_RELEASE_SECONDS):
            return
        try:
            self._lease.release(self._held)
        except RecoveryError as error:
            warn(f"the site's lease was not let go ({error.problem}); it ends by itself")
        finally:
            self._one_at_a_time.release()

    def _keep(self) -> None:
        while not self._lost and not self._over.wait(self._holder.valid_seconds / 3):
            self._renew()

    def _renew(self) -> None:
        with self._one_at_a_time:
            if self._lost or self._held is None or self._over.is_set():
                return
            try:
                self._held = self._lease.renew(self._held)
                self._proven_at, self._silent_since = time.monotonic(), None
            except Busy as error:
                self._lost = Busy(error.problem, "nothing more is done here; look at what the other recovery does")
            except RecoveryError as error:  # nobody else can take it there either, while the bucket does not answer
                if self._silent_since is None:
                    self._silent_since = time.monotonic()
                    _warn_of_only_here("renewed", error)


def _warn_of_only_here(what: str, error: RecoveryError) -> None:
    warn(
        f"the site's lease could not be {what} ({error.problem}): only this machine's lock holds. "
        "Be sure that nobody recovers this site from another machine"
    )


def _holder(incident: str) -> Holder:
    settings, journal = site().settings.site, current_journal()
    run = journal.run_id if journal else "none"
    return Holder(run, incident, socket.gethostname(), os.getpid(), settings.lease_seconds, _place(settings.state_dir))


def _place(state_dir: Path) -> str:
    """This state folder's lock on this machine since its last start; a copy of the folder is another. Called under it."""
    file = state_dir / "place"
    mark = (read_ours(file) or b"").decode(errors="replace").strip()
    if not mark:
        mark = secrets.token_hex(8)
        with open_ours(file, "w") as out:
            out.write(mark)
    lock = (state_dir / "recovery.lease").stat()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{mark}@{boot}@{lock.st_dev}:{lock.st_ino}"
