{{/* Where ingest runs. */}}
{{- define "sensorscore.ingestNamespace" -}}
{{- default .Release.Namespace .Values.ingest.namespace -}}
{{- end -}}

{{/* Name of ingest's objects; elsewhere than in the release's namespace two releases must not fight over it. A Service's begins with a letter. */}}
{{- define "sensorscore.ingestName" -}}
{{- $full := include "sensorscore.fullname" . -}}
{{- if ne (include "sensorscore.ingestNamespace" .) .Release.Namespace -}}
{{- $full = printf "%s-%s" $full .Release.Namespace -}}
{{- end -}}
{{- printf "%s-ingest" ($full | trunc 46 | trimSuffix "-") -}}
{{- end -}}

{{/* Labels by which ingest's pods are found; they may never change. */}}
{{- define "sensorscore.ingestSelectorLabels" -}}
app.kubernetes.io/name: {{ include "sensorscore.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: ingest
{{- end -}}

{{/* Labels of ingest's objects. */}}
{{- define "sensorscore.ingestLabels" -}}
{{ include "sensorscore.ingestSelectorLabels" . }}
{{ include "sensorscore.releaseLabels" . }}
{{- end -}}

{{/* The store that ingest leaves readings in, as JSON. */}}
{{- define "sensorscore.ingestStore" -}}
{{- get .Values.stores .Values.ingest.store | toJson -}}
{{- end -}}

{{/* Whether ingest's pods sign in anywhere by Workload Identity. */}}
{{- define "sensorscore.ingestIdentity" -}}
{{- $store := include "sensorscore.ingestStore" . | fromJson -}}
{{- if or .Values.ingest.hub.workloadIdentity $store.workloadIdentity -}}
yes
{{- end -}}
{{- end -}}

{{/*
The settings file of ingest, in its own keys. What a schema cannot say about the values is refused here, in a sentence; what only the
process can judge (a template, an aggregate), it refuses at its start.
*/}}
{{- define "sensorscore.ingestSettings" -}}
{{- include "sensorscore.checkIngestHub" .Values.ingest.hub -}}
{{- include "sensorscore.checkIngestStore" . -}}
{{- include "sensorscore.checkIngestWindows" .Values.ingest -}}
{{- $store := include "sensorscore.ingestStore" . | fromJson -}}
{{- with .Values.ingest -}}
{{- $hub := dict "name" .hub.name "consumerGroup" .hub.consumerGroup "start" .hub.start -}}
{{- if .hub.namespace -}}
{{- $_ := set $hub "namespace" .hub.namespace -}}
{{- end -}}
{{- $where := dict "hub" $hub "store" (pick $store "url" "endpoint" "allowHttp") "port" 8080 -}}
{{- $what := dict "mapping" .mapping "window" .window "columns" .columns "ordering" .ordering "maxSensors" .maxSensors -}}
{{- if .corrections -}}
{{- $_ := set $what "corrections" .corrections -}}
{{- end -}}
{{- $out := dict "landing" .landing "deadLetters" (.deadLetters | default nil) "folder" .folder "rates" .rates -}}
{{- if .raw -}}
{{- $_ := set $out "raw" .raw -}}
{{- end -}}
{{ toYaml $where }}
{{ toYaml $what }}
{{ toYaml $out }}
{{- end -}}
{{- end -}}

{{/* Takes ingest.hub. */}}
{{- define "sensorscore.checkIngestHub" -}}
{{- if not .name -}}
{{- fail "ingest.hub.name: there is no hub to receive from; give the name of the Event Hub" -}}
{{- end -}}
{{- if and .workloadIdentity .connectionStringSecret -}}
{{- fail "ingest.hub: workloadIdentity and connectionStringSecret are two ways to sign in; give one" -}}
{{- end -}}
{{- if not (or .workloadIdentity .connectionStringSecret) -}}
{{- fail "ingest.hub: no way to sign in; set workloadIdentity: true, or name a Secret in connectionStringSecret" -}}
{{- end -}}
{{- if and .workloadIdentity (not .namespace) -}}
{{- fail "ingest.hub.namespace: by workload identity nothing else says where the hub is; give NAME.servicebus.windows.net" -}}
{{- end -}}
{{- end -}}

{{- define "sensorscore.checkIngestStore" -}}
{{- $name := .Values.ingest.store -}}
{{- if not $name -}}
{{- fail "ingest.store: there is no store to leave readings in; give the name of one of stores" -}}
{{- end -}}
{{- if not (hasKey .Values.stores $name) -}}
{{- fail (printf "ingest.store: there is no store %q; stores has %s" $name (keys .Values.stores | sortAlpha | join ", " | default "none")) -}}
{{- end -}}
{{- $store := get .Values.stores $name -}}
{{- $namespace := include "sensorscore.ingestNamespace" . -}}
{{- if $store.volume -}}
{{- fail (printf "ingest.store: %q is a volume, on which replicas cannot share a hub's partitions; give a store with a url" $name) -}}
{{- end -}}
{{- if and $store.namespaces (not (has $namespace $store.namespaces)) -}}
{{- fail (printf "ingest.store: %q is not offered to namespace %s; set ingest.namespace to one of stores.%s.namespaces, or add it there" $name $namespace $name) -}}
{{- end -}}
{{- end -}}

{{/* Takes ingest. */}}
{{- define "sensorscore.checkIngestWindows" -}}
{{- if not (and .mapping.sensor .mapping.values) -}}
{{- fail "ingest.mapping: give sensor and values, the fields of an event that name its sensor and have its values" -}}
{{- end -}}
{{- if and (not .mapping.time) (ne (.ordering.by | default "Event") "Arrival") -}}
{{- fail "ingest.mapping.time: give the field of an event's time, or set ingest.ordering.by: Arrival" -}}
{{- end -}}
{{- if not .window.size -}}
{{- fail "ingest.window.size: give the length of windows, such as 5s" -}}
{{- end -}}
{{- if not .columns -}}
{{- fail "ingest.columns: readings would have none; give at least one, such as {value: avg}" -}}
{{- end -}}
{{- end -}}

{{/* Secrets as the process reads them. Takes {ingest, store}. */}}
{{- define "sensorscore.ingestEnvironment" -}}
env:
  {{- with .ingest.hub.connectionStringSecret }}
  - name: EVENTHUB_CONNECTION_STRING
    valueFrom:
      secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}}
  {{- end }}
  {{- with .store.connectionStringSecret }}
  - name: AZURE_STORAGE_CONNECTION_STRING
    valueFrom:
      secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}}
  {{- end }}
  {{- with .store.connectionStringFile }}
  - name: AZURE_STORAGE_CONNECTION_STRING_FILE
    value: {{ printf "/var/sensorscore/secret/%s" .file | quote }}
  {{- end }}
  # Started again in the same pod, it goes on at once with what was its own.
  - name: SENSORSCORE_REPLICA
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  # One core is not for many threads.
  - name: OPENBLAS_NUM_THREADS
    value: "1"
  {{- with .ingest.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
