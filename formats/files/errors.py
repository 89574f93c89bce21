"""The error that every reader, writer and stage raises for invalid input."""


class InputError(ValueError):
    """Input of the user is invalid.

    The message is one sentence (or two) that says where, what was found, what was expected and what to do;
    the command line prints it alone, without a traceback, and exits with status 1.
    """
