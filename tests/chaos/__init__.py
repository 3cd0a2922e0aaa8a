"""What happens to a run when everything fails at once, checked against the laws of a run."""
