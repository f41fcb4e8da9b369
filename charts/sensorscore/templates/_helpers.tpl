{{/* Name of the chart, at most 63 characters. */}}
{{- define "sensorscore.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of every object of this release; "sensorscore" rather than "sensorscore-sensorscore". */}}
{{- define "sensorscore.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "sensorscore.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name for what is not namespaced: two releases in two namespaces must not fight over it. */}}
{{- define "sensorscore.clusterName" -}}
{{- $full := include "sensorscore.fullname" . -}}
{{- if eq $full .Release.Namespace -}}
{{- $full -}}
{{- else -}}
{{- printf "%s-%s" .Release.Namespace $full | trunc 100 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which the operator's pod is found; they may never change. */}}
{{- define "sensorscore.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sensorscore.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of the operator's objects. */}}
{{- define "sensorscore.labels" -}}
{{ include "sensorscore.selectorLabels" . }}
{{ include "sensorscore.releaseLabels" . }}
{{- end -}}

{{/* Labels by which the pods of schedules are found. */}}
{{- define "sensorscore.schedulerSelectorLabels" -}}
app.kubernetes.io/name: {{ include "sensorscore.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: scheduler
{{- end -}}

{{/* Labels of the scorer's objects. */}}
{{- define "sensorscore.scorerLabels" -}}
app.kubernetes.io/name: {{ include "sensorscore.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: scorer
{{ include "sensorscore.releaseLabels" . }}
{{- end -}}

{{- define "sensorscore.releaseLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: sensorscore
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- range $key, $value := .Values.commonLabels }}
{{- if regexMatch "^(app[.]kubernetes[.]io|helm[.]sh|sensorscore[.]dev)/" $key }}
{{- fail (printf "commonLabels: %q is one of the chart's own labels; choose another key" $key) }}
{{- end }}
{{ $key }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "sensorscore.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sensorscore.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name must be given when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Image reference. Takes {image, key, appVersion}; `key` names the value in a refusal. */}}
{{- define "sensorscore.image" -}}
{{- $image := .image -}}
{{- $tag := default .appVersion $image.tag -}}
{{- if not (regexMatch "^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+$" $image.repository) -}}
{{- fail (printf "%s.repository: %q is not REGISTRY/NAME; the tag has a key of its own, %s.tag" .key $image.repository .key) -}}
{{- end -}}
{{- if not (regexMatch "^(sha256:[0-9a-f]{64})?$" (default "" $image.digest)) -}}
{{- fail (printf "%s.digest: %q is not sha256: and 64 hexadecimal digits" .key $image.digest) -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else if eq $tag "latest" -}}
{{- fail (printf "%s.tag: \"latest\" is refused, nobody could say later what ran; give a version or a digest" .key) -}}
{{- else -}}
{{- printf "%s:%s" $image.repository $tag -}}
{{- end -}}
{{- end -}}

{{/* Namespaces of schedules, as JSON. */}}
{{- define "sensorscore.scheduleNamespaces" -}}
{{- $found := list -}}
{{- range $name, $schedule := (.Values.schedules | default dict) -}}
{{- $found = append $found $schedule.namespace -}}
{{- end -}}
{{- $found | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* Namespaces that get the scorer's ServiceAccount and NetworkPolicy, as JSON. */}}
{{- define "sensorscore.scoringNamespaces" -}}
{{- $listed := default .Values.watchNamespaces .Values.scoringNamespaces -}}
{{- concat $listed (include "sensorscore.scheduleNamespaces" . | fromJsonArray) | uniq | toJson -}}
{{- end -}}

{{/* Name of the PriorityClass of scoring pods; empty when the chart makes none. */}}
{{- define "sensorscore.scoringPriorityClass" -}}
{{- with .Values.scorer.priorityClass -}}
{{- if .create -}}
{{- default (printf "%s-scoring" (include "sensorscore.clusterName" $)) .name -}}
{{- end -}}
{{- end -}}
{{- end -}}
