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

from recovery.adapters.site_lease import HeldLease, Holder, SiteLease
from recovery.errors import Busy, RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.journal import current_journal
from recovery.lease import acting_only_while, hold_lease
from recovery.ownership import open_ours
from recovery.site import site
from tasks.incidents import note_event
from tasks.step import warn

_RELEASE_SECONDS = 5.0


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
        held.take(take_over)
        try:
            with acting_only_while(held.require):
                yield
        finally:
            held.end()


class _Held:
    """The lease while it is renewed beside the work."""

    def __init__(self, lease: SiteLease, holder: Holder) -> None:
        self._lease, self._holder = lease, holder
        self._held: HeldLease | None = None
        self._lost: Busy | None = None
        self._over = threading.Event()
        self._renewed_at = 0.0
        self._renewing: threading.Thread | None = None

    def take(self, take_over: str | None) -> None:
        """Take it, or say that only this machine's lock holds."""
        try:
            self._held = self._lease.take(self._holder, take_over=take_over is not None)
        except (TargetUnreachable, SettingsInvalid) as error:
            self._only_here(error)
            return
        self._renewed_at = time.monotonic()
        note_event(
            "lease", token=self._held.token, holder=self._holder.run, **({"reason": take_over} if take_over else {})
        )
        if take_over:
            warn(f"this site was taken over: {take_over}")
        context = contextvars.copy_context()
        self._renewing = threading.Thread(target=context.run, args=(self._renew,), daemon=True, name="site lease")
        self._renewing.start()

    def require(self) -> None:
        """Whether it is still ours, as far as anybody can know. Raises: Busy."""
        if self._lost:
            raise self._lost

    def end(self) -> None:
        """Let go of it."""
        self._over.set()
        if self._renewing is None or self._held is None:
            return
        self._renewing.join(_RELEASE_SECONDS)
        if self._lost or self._renewing.is_alive():
            return
        try:
            self._lease.release(self._held)
        except RecoveryError as error:
            warn(f"the site's lease was not let go ({error.problem}); it ends by itself")

    def _renew(self) -> None:
        seconds, said = self._holder.valid_seconds, False
        while not self._over.wait(seconds / 3):
            try:
                assert self._held is not None
                self._held = self._lease.renew(self._held)
                self._renewed_at, said = time.monotonic(), False
            except Busy as error:
                self._lost = Busy(error.problem, "nothing more is done here; look at what the other recovery does")
                return
            except RecoveryError as error:  # nobody else can take it there either, while the bucket does not answer
                if not said and time.monotonic() - self._renewed_at > seconds:
                    self._only_here(error)
                    said = True

    @staticmethod
    def _only_here(error: RecoveryError) -> None:
        warn(
            f"the site's lease could not be taken ({error.problem}): only this machine's lock holds. "
            "Be sure that nobody recovers this site from another machine"
        )


def _holder(incident: str) -> Holder:
    settings, journal = site().settings.site, current_journal()
    run = journal.run_id if journal else "none"
    return Holder(run, incident, socket.gethostname(), os.getpid(), settings.lease_seconds, _place(settings.state_dir))


def _place(state_dir: Path) -> str:
    """This state folder on this machine since its last start. Called under the folder's lock."""
    file = state_dir / "place"
    try:
        mark = file.read_text().strip()
    except FileNotFoundError:
        mark = secrets.token_hex(8)
        with open_ours(file, "w") as out:
            out.write(mark)
    return f"{mark}@{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
