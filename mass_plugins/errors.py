"""The one kind of error that is the user's to fix."""


class InputError(ValueError):
    """What is wrong, where, and the fix, in one line.

    Command-line tools print it as ``mass_plugins: error: <line>`` and end with status 1; no
    traceback is shown, because the reader can do nothing with it.
    """
