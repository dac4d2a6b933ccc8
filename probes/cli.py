"""The command ``probes``: parse, make a dataclass, call the library once."""
