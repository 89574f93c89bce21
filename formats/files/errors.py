"""The error that every reader, writer and stage raises for invalid input, and the warning about a poor one."""


class InputError(ValueError):
    """Input of the user is invalid.

    The message is one sentence (or two) that says where, what was found, what was expected and what to do;
    the command line prints it alone, without a traceback, and exits with status 1.
    """


class DiskError(InputError):
    """The disk refuses a write.

    Args:
        place: the file or folder that was written.
        reason: as the operating system says it.
        is_full: whether more space, or another disk, would help.
    """

    def __init__(self, place: str, reason: str, is_full: bool) -> None:
        super().__init__(place, reason, is_full)
        self._told = f"{place}: could not be written ({reason})"
        self._free = "free some disk space" if is_full else ""

    def __str__(self) -> str:
        """The sentence where nothing of it is left."""
        remedy = f"{self._free} or choose" if self._free else "choose"
        return f"{self._told}; nothing half-written was left; {remedy} another place with -o."

    def without_options(self) -> str:
        """The sentence for those who type no command."""
        return f"{self._told}; nothing half-written was left" + (f"; {self._free}." if self._free else ".")

    def with_kept(self, folder: object) -> str:
        """The sentence where a folder keeps what a run can go on from."""
        remedy = f"{self._free} and continue" if self._free else "continue"
        return f"{self._told}; what was finished stays in {folder}; {remedy} with --resume."


def sentence_of(error: InputError) -> str:
    """What is wrong, for those who type no command."""
    return error.without_options() if isinstance(error, DiskError) else str(error)


class InputWarning(UserWarning):
    """Input of the user gives a result that is less accurate than usual.

    The message says where, what was found and what to do, as that of :class:`InputError`; the command line prints it
    alone on stderr and goes on.
    """


class Notice(InputWarning):
    """Something that a user is told, with which nothing is wrong: what is pulled or made, and where it is kept."""
