"""Engine: divide, compute, resume and merge evaluations."""
