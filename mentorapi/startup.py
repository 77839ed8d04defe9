"""What keeps the program from starting; the command line prints it as one line."""

from __future__ import annotations


class StartupError(Exception):
    """One sentence for the person at the terminal; names what to change, never a secret."""

    exit_code = 1


def reason(error: BaseException) -> str:
    """The one line of a many-lined message that says most."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # psycopg lists one line per address that it tried.
    attempts = [line for line in lines if line.startswith("- ")]
    return " ".join((attempts[-1].removeprefix("- ") if attempts else lines[0]).split())
