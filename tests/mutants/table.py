"""All planted faults.  A change of the package brings the row that shows its test can fail."""

from mutants import (
    learning,
    methods,
    networks,
    reading,
    scoring,
    selecting,
    storing,
    training,
)

FAULTS = [
    *learning.FAULTS,
    *methods.FAULTS,
    *networks.FAULTS,
    *selecting.FAULTS,
    *scoring.FAULTS,
    *reading.FAULTS,
    *storing.FAULTS,
    *training.FAULTS,
]
