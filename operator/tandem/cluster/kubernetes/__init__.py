"""The fleet on Kubernetes: pods, Deployments, the API server."""
