"""The exceptions that a user is meant to read."""


class InputError(Exception):
    """Something that a person typed, placed or downloaded is wrong.

    The message is one line that names the file, the key and the remedy. The command line prints it and exits with
    status 2; nothing may have been written when it is raised.
    """


class Stopped(Exception):
    """Work was asked to end, by a person, a time limit or a preemption, and has kept what it needs to go on."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal
