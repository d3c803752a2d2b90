"""Services by locator: look at what runs, start it, stop it, read its last log lines."""

from recovery.adapters.services.locator import Means, locate_service

__all__ = ["Means", "locate_service"]
