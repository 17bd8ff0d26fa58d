"""The one exception that a user may see."""

LONGEST_MESSAGE = 2000
"""Characters; libraries quote whole files in theirs."""


class InputError(ValueError):
    """Something the user gave is wrong, or the disk is full.

    The message says what was found, where, what was expected and how to mend it.
    Scripts print it as one line, without a traceback.
    """

    def __init__(self, message: str) -> None:
        """Cut a message that is too long for a screen."""
        kept, rest = message[:LONGEST_MESSAGE], message[LONGEST_MESSAGE:]
        super().__init__(f"{kept} …" if rest else kept)
