"""The one exception that a user may see."""


class InputError(ValueError):
    """Something the user gave is wrong.

    The message says what was found, where, what was expected and how to mend it.
    Scripts print it as one line, without a traceback.
    """
