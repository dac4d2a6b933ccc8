"""What a pretrained model's representations hold, at which layer, and in which form.

``import probes`` loads no torch: the rooms are imported by name
(``probes.task``, ``probes.encoders``, ``probes.states``, ``probes.diagnostic``, …).
"""

__version__ = "0.1.0"
