class Trouble(Exception):
    """Why there is no package: one line, with what to do."""
