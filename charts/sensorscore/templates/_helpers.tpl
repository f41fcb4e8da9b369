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
app.kubernetes.io/name: {{ include "sensorscore.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of the operator's objects. */}}
{{- define "sensorscore.labels" -}}
{{ include "sensorscore.selectorLabels" . }}
{{ include "sensorscore.releaseLabels" . }}
{{- end -}}

{{/* Labels by which the pods of schedules are found. */}}
{{- define "sensorscore.schedulerSelectorLabels" -}}
app.kubernetes.io/name: {{ include "sensorscore.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: scheduler
{{- end -}}

{{/* Labels of the scorer's objects. */}}
{{- define "sensorscore.scorerLabels" -}}
app.kubernetes.io/name: {{ include "sensorscore.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: scorer
{{ include "sensorscore.releaseLabels" . }}
{{- end -}}

{{- define "sensorscore.releaseLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: sensorscore
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- include "sensorscore.checkLabels" (dict "path" "commonLabels" "labels" .Values.commonLabels) }}
{{- range $key, $value := .Values.commonLabels }}
{{ $key | quote }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* Refuses labels that would be there twice. Takes {path, labels} and, where these stand beside the values' commonLabels, them as `common`. */}}
{{- define "sensorscore.checkLabels" -}}
{{- range $key, $value := .labels -}}
{{- if regexMatch "^(app[.]kubernetes[.]io|helm[.]sh|sensorscore[.]dev)/" $key -}}
{{- fail (printf "%s: %q is one of the chart's own labels; choose another key" $.path $key) -}}
{{- end -}}
{{- if hasKey ($.common | default dict) $key -}}
{{- fail (printf "%s: %q is in commonLabels too; give it in one of them" $.path $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Refuses a pod's resources of which it asks for more than it may have. Takes {path, resources}. */}}
{{- define "sensorscore.checkResources" -}}
{{- $limits := .resources.limits | default dict -}}
{{- range $name, $asked := .resources.requests -}}
{{- if hasKey $limits $name -}}
{{- $most := get $limits $name -}}
{{- if gt (include "sensorscore.quantity" $asked | float64) (include "sensorscore.quantity" $most | float64) -}}
{{- fail (printf "%s.requests.%s: %v is more than %s.limits.%s, %v" $.path $name $asked $.path $name $most) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A quantity such as 100m or 1.5Gi as a number. */}}
{{- define "sensorscore.quantity" -}}
{{- if kindIs "string" . -}}
{{- $suffix := regexFind "[A-Za-z]*$" . -}}
{{- $units := dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- mulf (trimSuffix $suffix . | float64) (get $units $suffix) -}}
{{- else -}}
{{- float64 . -}}
{{- end -}}
{{- end -}}

{{/* Name of the Service of the operator's metrics: a Service's has at most 63 characters, and begins with a letter. */}}
{{- define "sensorscore.metricsService" -}}
{{- $name := printf "%s-metrics" (include "sensorscore.fullname" . | trunc 55 | trimSuffix "-") -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- fail (printf "metrics.service: a Service cannot be called %q, since that begins with a digit; give a fullnameOverride" $name) -}}
{{- end -}}
{{- $name -}}
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
