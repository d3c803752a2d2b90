"""The application's workloads in a Kubernetes cluster.

The official client gives address, TLS, credentials and transport. Objects are read as the JSON that they are, not through
its models: those load for seconds, and refuse a whole list for one field that a newer or odd server fills differently.
"""
