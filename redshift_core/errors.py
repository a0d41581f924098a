"""The one exception that pages and the command line show to the user as it stands."""


class InputError(ValueError):
    """Something the user can fix: what was received, what was expected, how to fix it."""
