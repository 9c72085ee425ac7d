"""The one exception that a user is meant to read."""


class InputError(Exception):
    """Something that a person typed, placed or downloaded is wrong.

    The message is one line that names the file, the key and the remedy. The command line prints it and exits with
    status 2; nothing may have been written when it is raised.
    """
