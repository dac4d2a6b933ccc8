"""The built-in tasks, found through the entry-point group ``probes.tasks`` like anyone's."""
