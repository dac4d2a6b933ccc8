"""The contract of correctness: a model's vectors are examined, and the verdict goes with them."""

from probes.doctor.contract import examine as examine
from probes.doctor.verdict import Check as Check
from probes.doctor.verdict import Verdict as Verdict
