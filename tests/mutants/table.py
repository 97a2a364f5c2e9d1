"""All planted faults.  A change of the package brings the row that shows its test can fail."""

from mutants import (
    geometry,
    labels,
    learning,
    methods,
    networks,
    reading,
    scoring,
    selecting,
    serving,
    storing,
    training,
)

FAULTS = [
    *labels.FAULTS,
    *learning.FAULTS,
    *geometry.FAULTS,
    *methods.FAULTS,
    *networks.FAULTS,
    *selecting.FAULTS,
    *scoring.FAULTS,
    *reading.FAULTS,
    *serving.FAULTS,
    *storing.FAULTS,
    *training.FAULTS,
]
