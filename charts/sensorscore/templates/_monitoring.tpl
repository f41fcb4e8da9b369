{{/* ServiceMonitor, PodMonitor or nothing: which of them is to be rendered. What cannot be is refused. */}}
{{- define "sensorscore.monitorKind" -}}
{{- $service := .Values.monitoring.serviceMonitor.enabled -}}
{{- $pod := .Values.monitoring.podMonitor.enabled -}}
{{- if and $service $pod -}}
{{- fail "monitoring: serviceMonitor and podMonitor are both enabled, so every number would be there twice; enable one" -}}
{{- end -}}
{{- if and $service (not .Values.metrics.service.enabled) -}}
{{- fail "monitoring.serviceMonitor: there is no Service to monitor; set metrics.service.enabled: true, or enable monitoring.podMonitor" -}}
{{- end -}}
{{- $kind := ternary "ServiceMonitor" (ternary "PodMonitor" "" $pod) $service -}}
{{- if $kind -}}
{{- if include "sensorscore.rendersMonitoring" (dict "root" . "kind" $kind "key" (printf "monitoring.%s" (untitle $kind))) -}}
{{- $kind -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether an object of the Prometheus operator's API is rendered, by renderMode. Takes {root, kind, key}. */}}
{{- define "sensorscore.rendersMonitoring" -}}
{{- $monitoring := .root.Values.monitoring -}}
{{- $api := printf "%s/v1" $monitoring.apiGroup -}}
{{- $known := or (.root.Capabilities.APIVersions.Has (printf "%s/%s" $api .kind)) (.root.Capabilities.APIVersions.Has $api) -}}
{{- if or $known (eq $monitoring.renderMode "alwaysRender") -}}
yes
{{- else if eq $monitoring.renderMode "failIfMissing" -}}
{{- fail (printf "%s: the cluster does not know %s %s; install it, set monitoring.apiGroup to another (Azure's is azmonitoring.coreos.com), or set monitoring.renderMode to skipIfMissing, or to alwaysRender when Helm cannot ask the cluster" .key $api .kind) -}}
{{- end -}}
{{- end -}}

{{/* A Service's annotations for a Prometheus that looks for them; none where a monitor finds it. */}}
{{- define "sensorscore.scrapeAnnotations" -}}
{{- if and .Values.metrics.service.scrapeAnnotations (not (include "sensorscore.monitorKind" .)) -}}
annotations:
  prometheus.io/scrape: "true"
  # Prometheus puts this port in the place of the endpoint's own: it is the pod's, not the Service's.
  prometheus.io/port: "8080"
  prometheus.io/path: /metrics
{{- end -}}
{{- end -}}

{{/* A monitor's spec. Takes {root, kind, instance, selector}: the latter are labels as YAML; for instance see sensorscore.endpoint. */}}
{{- define "sensorscore.monitorSpec" -}}
{{- $monitor := dict "path" (printf "monitoring.%s" (untitle .kind)) "instance" .instance -}}
{{- $monitor = merge $monitor (get .root.Values.monitoring (untitle .kind)) -}}
jobLabel: app.kubernetes.io/name
{{- with include "sensorscore.azureLimits" .root }}
{{ . }}
{{- end }}
selector:
  matchLabels:
    {{- .selector | nindent 4 }}
{{ ternary "endpoints" "podMetricsEndpoints" (eq .kind "ServiceMonitor") }}:
  - {{- include "sensorscore.endpoint" $monitor | nindent 4 }}
{{- end -}}

{{/*
How to scrape. Takes a monitor's values with its `path` in them for refusals and, of what has one replica, the `instance` that its
series are of whatever becomes of its pod. With the pod's own address and name each restart would begin new series, and what is
counted before their first scrape would never be seen by increase().
*/}}
{{- define "sensorscore.endpoint" -}}
{{- if gt (include "sensorscore.milliseconds" .scrapeTimeout | int64) (include "sensorscore.milliseconds" .interval | int64) }}
{{- fail (printf "%s.scrapeTimeout: %s is longer than %s.interval, %s" .path .scrapeTimeout .path .interval) }}
{{- end }}
port: http
path: /metrics
interval: {{ .interval | quote }}
scrapeTimeout: {{ .scrapeTimeout | quote }}
# The label `namespace` is the run's, not that of the operator's own pod.
honorLabels: true
{{- if or .instance .relabelings }}
relabelings:
  {{- with .instance }}
  - {action: replace, targetLabel: instance, replacement: {{ . | quote }}}
  - {action: labeldrop, regex: container|node|pod}
  {{- end }}
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A duration such as 30s in milliseconds. */}}
{{- define "sensorscore.milliseconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- mul (trimSuffix $unit . | int64) (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit) -}}
{{- end -}}

{{/* Limits without which Azure's managed Prometheus takes no monitor's series. */}}
{{- define "sensorscore.azureLimits" -}}
{{- if eq .Values.monitoring.apiGroup "azmonitoring.coreos.com" -}}
labelLimit: 63
labelNameLengthLimit: 511
labelValueLengthLimit: 1023
{{- end -}}
{{- end -}}

{{/* Where the pages of runbooks are. */}}
{{- define "sensorscore.runbooks" -}}
{{- printf "%sdocs/runbooks" .Values.monitoring.rules.runbookBaseUrl -}}
{{- end -}}
