"""The error that a user's mistake or bad data raises: one clear line, no traceback."""


class InputError(Exception):
    """A mistake in the config or in the data that the user can mend.

    The message is one line that says which file, which field, what was expected and what to do.
    """
