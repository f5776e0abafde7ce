"""What a terminal can show."""

import io
import sys


def escape_what_cannot_be_shown() -> None:
    """Let no terminal's encoding end a command: characters that it lacks are printed as escapes.

    Those are names in other scripts than its own, and bytes of file names that are no text.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not whatever a host program put there
            stream.reconfigure(errors="backslashreplace")
