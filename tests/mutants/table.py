"""All planted faults.  A change of the package brings the row that shows its test can fail."""

from mutants import learning, scoring, selecting, storing

FAULTS = [*learning.FAULTS, *selecting.FAULTS, *scoring.FAULTS, *storing.FAULTS]
