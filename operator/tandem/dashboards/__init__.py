"""Dashboards, recording rules and alerts, described once and rendered for Grafana and Prometheus."""
