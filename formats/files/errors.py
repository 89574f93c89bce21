"""The error that every reader, writer and stage raises for invalid input, and the warning about a poor one."""


class InputError(ValueError):
    """Input of the user is invalid.

    The message is one sentence (or two) that says where, what was found, what was expected and what to do;
    the command line prints it alone, without a traceback, and exits with status 1.
    """


class InputWarning(UserWarning):
    """Input of the user gives a result that is less accurate than usual.

    The message says where, what was found and what to do, as that of :class:`InputError`; the command line prints it
    alone on stderr and goes on.
    """


class Notice(InputWarning):
    """Something that a user is told, with which nothing is wrong: what is pulled or made, and where it is kept."""
