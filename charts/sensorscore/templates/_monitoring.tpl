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

{{/* How to scrape the operator. Takes {monitor, azure}. */}}
{{- define "sensorscore.endpoint" -}}
port: http
path: /metrics
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
# The label `namespace` is the run's, not that of the operator's own pod.
honorLabels: true
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
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
