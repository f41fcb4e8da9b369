"""Draws Grafana dashboards from a Prometheus, without Grafana: the JSON model is read as Grafana reads it.

Only what the project's dashboards use is interpreted; anything else is refused by name, so that a picture
never shows less than Grafana would.
"""
