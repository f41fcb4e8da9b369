{{/* What the container is told that looks for corrected hours: `$` stands twice, since Kubernetes reads $(NAME). Takes {schedule, store}. */}}
{{- define "sensorscore.changesArguments" -}}
{{- $url := ternary "file:///var/sensorscore/store" .store.url (hasKey .store "volume") -}}
{{- $arguments := list "changes" "--store" $url -}}
{{- with .store.endpoint -}}
{{- $arguments = concat $arguments (list "--endpoint" .) -}}
{{- end -}}
{{- if .store.allowHttp -}}
{{- $arguments = append $arguments "--allow-http" -}}
{{- end -}}
{{- $readings := dig "readings" "path" "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet" .schedule.run -}}
{{- $arguments = concat $arguments (list (printf "--readings=%s" $readings) "--horizon" (toString (int (.schedule.rescore.horizonSeconds | default 86400)))) -}}
{{- $arguments = concat $arguments (list "--to" "/var/sensorscore/changes/changes.json") -}}
args:
{{- range $arguments }}
  - {{ . | replace "$" "$$" | quote }}
{{- end }}
{{- end -}}

{{/* Its environment, which scoring pods have too. A Secret that is not there is for the scorer to say. Takes {schedule, store, runtime, Values}. */}}
{{- define "sensorscore.changesEnvironment" -}}
{{- range $name, $value := .runtime.env }}
- name: {{ $name | quote }}
  value: {{ $value | quote }}
{{- end }}
{{- with .store.connectionStringSecret }}
- name: AZURE_STORAGE_CONNECTION_STRING
  valueFrom:
    secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}, optional: true}
{{- end }}
{{- with .store.connectionStringFile }}
- name: AZURE_STORAGE_CONNECTION_STRING_FILE
  value: {{ printf "/etc/sensorscore/storage/%s" .file | quote }}
{{- end }}
{{- if .store.workloadIdentity }}
# What the webhook would take from the ServiceAccount, which is no identity in Azure by itself.
- name: AZURE_CLIENT_ID
  value: {{ include "sensorscore.rescoreIdentity" . | quote }}
{{- end }}
{{- end -}}

{{/* The managed identity that looks for corrected hours; empty if nobody says. Takes {schedule, Values}. */}}
{{- define "sensorscore.rescoreIdentity" -}}
{{- .schedule.rescore.clientId | default (get (.Values.scorer.serviceAccount.annotations | default dict) "azure.workload.identity/client-id") | default "" -}}
{{- end -}}

{{/* What the schema cannot say of a schedule's rescore. Takes {name, schedule, Values}. */}}
{{- define "sensorscore.checkRescore" -}}
{{- $path := printf "schedules.%s.rescore" .name -}}
{{- if or (ne (int (.schedule.windowSeconds | default 3600)) 3600) (ne (mod (int (.schedule.offsetSeconds | default 0)) 3600) 0) -}}
{{- fail (printf "%s: is of hours as they land; it wants windowSeconds: 3600, and offsetSeconds of whole hours" $path) -}}
{{- end -}}
{{- if or (hasKey .schedule.run.sensors "only") (not (or (hasKey .schedule.run.sensors "table") (hasKey .schedule.run.sensors "discover"))) -}}
{{- fail (printf "%s: it wants schedules.%s.run.sensors by table or discover, and without only: of these the corrected ones are scored again" $path .name) -}}
{{- end -}}
{{- $layout := dig "readings" "layout" "hourly" .schedule.run -}}
{{- if ne $layout "hourly" -}}
{{- fail (printf "%s: is of readings that ingest lands and corrects; it wants schedules.%s.run.readings.layout hourly, not %s" $path .name $layout) -}}
{{- end -}}
{{- $readings := dig "readings" "path" "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet" .schedule.run -}}
{{- $folder := (splitList "{sensor}" $readings) | first | dir -}}
{{- range $token := list "{yyyy}" "{MM}" "{dd}" "{HH}" -}}
{{- if not (contains $token $folder) -}}
{{- fail (printf "%s: wants a folder for each hour; schedules.%s.run.readings.path %s has no %s in its folders, before any of a sensor's own" $path $.name $readings $token) -}}
{{- end -}}
{{- end -}}
{{- $store := get .Values.stores (.schedule.run.store | default "default") -}}
{{- if and $store.workloadIdentity (not (include "sensorscore.rescoreIdentity" .)) -}}
{{- fail (printf "%s.clientId: is missing; its pods are no scoring pods, so give the client id of the managed identity that reads the store, here or as azure.workload.identity/client-id of scorer.serviceAccount.annotations" $path) -}}
{{- end -}}
{{- end -}}
