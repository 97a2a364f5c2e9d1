"""What torchrun runs is no test."""

collect_ignore = ["work.py"]
