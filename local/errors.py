"""The one kind of error that this package shows to people."""


class LocalError(Exception):
    """Something that stands in the way, in words for a person: the command line prints no traceback."""
