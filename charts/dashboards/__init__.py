"""The Grafana dashboards, written in Python by Grafana's own SDK; `make dashboards` makes the chart's JSON.

They hold to what Grafana 10.4, Azure Managed Grafana and the Azure portal's dashboards all show: core panels,
one Prometheus data source, nothing that is alerted on, no library panels. Runs come in bursts, once an hour:
so panels tell what was added in an hour or in the whole range, never a rate that is 0 most of the time.
"""
