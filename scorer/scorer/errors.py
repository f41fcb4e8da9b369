"""The base of all errors that a user can cause."""


class InputError(ValueError):
    """Something given cannot be used: one sentence with the field, what was found and what was wanted."""
