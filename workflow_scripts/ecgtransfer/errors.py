"""The error that a user's mistake or bad data raises: one clear line, no traceback."""


class InputError(Exception):
    """A mistake in the config or in the data that the user can mend.

    The message is one line that says which file, which field, what was expected and what to do. Control characters,
    which broken files may bring in, are shown as escapes.
    """

    def __init__(self, message: str) -> None:
        shown = (c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in message)
        super().__init__("".join(shown))
