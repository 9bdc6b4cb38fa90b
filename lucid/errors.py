"""The one kind of error that lucid shows its users."""


class LucidError(Exception):
    """Something the user can put right, said in one line.

    The message names the file or option, what is wrong with it and what would
    work. The command line prints it after ``Error:`` and exits with
    ``exit_code``.
    """

    exit_code = 1


class UsageError(LucidError):
    """A setting that cannot mean anything: the same as a mistyped option."""

    exit_code = 2
