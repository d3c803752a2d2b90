"""A Kubernetes API stand-in whose pods are real local processes: `python -m sandbox.cluster FOLDER`."""
