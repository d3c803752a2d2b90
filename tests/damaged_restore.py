"""`recover` in which a restored copy is damaged before anybody looks at it: KIND, then the words of the command."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    """Run the command; the copy's data gets the damage of this kind as soon as it can be written to."""
    kind = sys.argv.pop(1)
    from flows import restore
    from recovery.adapters.postgres.recovered import CopyPlaces
    from recovery.cli.main import main as recover
    from recovery.site import site
    from tests.damage_kinds import DAMAGE
    from tests.fix_data import damage

    promote = restore.promote_copy

    def promote_and_damage(places: CopyPlaces) -> None:
        promote(places)
        damage(site().copies.server(places).address(site().settings.database.name), *DAMAGE[kind][0])

    restore.promote_copy = promote_and_damage  # type: ignore[attr-defined]
    recover()


if __name__ == "__main__":
    main()
