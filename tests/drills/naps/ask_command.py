"""`recover ask`: the runbook of asks.py as a command of its own, run as any other."""

from typing import Annotated, Literal

import typer

from recovery.cli.approval_prompt import asking_here
from recovery.cli.options import text
from recovery.cli.output import show_run

app = typer.Typer(add_completion=False)


@app.command()
def ask(
    incident: str,
    file: str,
    cause: str = "image",
    mode: Literal["approve", "auto"] = "approve",
    policy: Literal["auto", "approve"] = "approve",
    take_over: Annotated[str | None, text(help="why")] = None,
    twice: Annotated[bool, typer.Option(help="act once more, later")] = False,
) -> None:
    """Ask for a yes, then write into a file."""
    with asking_here():
        show_run(
            "asks",
            "ask",
            False,
            incident=incident,
            file=file,
            cause=cause,
            mode=mode,
            policy=policy,
            take_over=take_over,
            twice=twice,
        )
