"""The pass over a corpus, and the activation store that it leaves."""

from probes.states.extract import extract as extract
from probes.states.store import ActivationStore as ActivationStore
from probes.states.world import World as World
from probes.states.world import alone as alone
from probes.states.world import join as join
