"""The one error that every reader, writer and stage raises for input that cannot be used."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence (or two) that says where, what was found, what was expected and what to do;
    the command line prints it alone, without a traceback, and exits with status 1.
    """
