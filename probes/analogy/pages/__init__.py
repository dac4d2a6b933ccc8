"""The report of a run of `probes analogy`."""
