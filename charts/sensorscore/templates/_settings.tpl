{{/*
The operator's settings file, made from the values. What a schema cannot say about the values is refused here, in a sentence.
*/}}
{{- define "sensorscore.settings" -}}
{{- include "sensorscore.checkNamespaces" . -}}
{{- $stores := dict -}}
{{- range $name, $store := .Values.stores -}}
{{- include "sensorscore.checkStore" (dict "name" $name "store" $store "watchNamespaces" $.Values.watchNamespaces) -}}
{{- $account := dict "serviceAccountName" $.Values.scorer.serviceAccount.name -}}
{{- $_ := set $stores $name (merge (deepCopy $store) $account) -}}
{{- end -}}
{{- $runtimes := dict -}}
{{- range $name, $runtime := .Values.runtimes -}}
{{- include "sensorscore.checkRuntime" (dict "name" $name "runtime" $runtime "watchNamespaces" $.Values.watchNamespaces "currency" $.Values.currency) -}}
{{- $key := printf "runtimes.%s.image" $name -}}
{{- $image := include "sensorscore.image" (dict "image" $runtime.image "key" $key "appVersion" $.Chart.AppVersion) -}}
{{- $pull := dict "image" $image "imagePullPolicy" ($runtime.image.pullPolicy | default "IfNotPresent") -}}
{{- $_ := set $runtimes $name (merge $pull (omit (deepCopy $runtime) "image")) -}}
{{- end -}}
namespaces: {{ toJson .Values.watchNamespaces }}
stores:
{{- if $stores }}
{{ toYaml $stores | indent 2 }}
{{- else }} {}
{{- end }}
runtimes:
{{ toYaml $runtimes | indent 2 }}
stages:
{{ toYaml .Values.stages | indent 2 }}
currency: {{ toJson .Values.currency }}
limits:
{{ toYaml .Values.limits | indent 2 }}
lease:
  namespace: {{ .Release.Namespace }}
  name: {{ include "sensorscore.fullname" . }}
http:
  port: 8080
{{- end -}}

{{/* Takes {name, store, watchNamespaces}. */}}
{{- define "sensorscore.checkStore" -}}
{{- $path := printf "stores.%s" .name -}}
{{- if not (regexMatch "^azure://[a-z0-9]{3,24}/[a-z0-9]([a-z0-9-]*[a-z0-9])?(/[^/ ]+)*$" .store.url) -}}
{{- fail (printf "%s.url: %q is not azure://ACCOUNT/CONTAINER or azure://ACCOUNT/CONTAINER/PREFIX" $path .store.url) -}}
{{- end -}}
{{- if and .store.workloadIdentity .store.connectionStringSecret -}}
{{- fail (printf "%s: workloadIdentity and connectionStringSecret are two ways to sign in; give one" $path) -}}
{{- end -}}
{{- if not (or .store.workloadIdentity .store.connectionStringSecret) -}}
{{- fail (printf "%s: no way to sign in; set workloadIdentity: true, or name a Secret in connectionStringSecret" $path) -}}
{{- end -}}
{{- if and (hasPrefix "http://" (.store.endpoint | default "")) (not .store.allowHttp) -}}
{{- fail (printf "%s.endpoint: %s is not encrypted; if this is Azurite, set %s.allowHttp: true" $path .store.endpoint $path) -}}
{{- end -}}
{{- range .store.namespaces -}}
{{- if and $.watchNamespaces (not (has . $.watchNamespaces)) -}}
{{- fail (printf "%s.namespaces: %q is not in watchNamespaces, no run there would be seen" $path .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Takes {name, runtime, watchNamespaces, currency}. */}}
{{- define "sensorscore.checkRuntime" -}}
{{- range .runtime.namespaces -}}
{{- if and $.watchNamespaces (not (has . $.watchNamespaces)) -}}
{{- fail (printf "runtimes.%s.namespaces: %q is not in watchNamespaces, no run there would be seen" $.name .) -}}
{{- end -}}
{{- end -}}
{{- if and (ne (.runtime.cpuHourPrice | default "0") "0") (not .currency) -}}
{{- fail (printf "runtimes.%s.cpuHourPrice: has no currency; set currency, such as EUR" .name) -}}
{{- end -}}
{{- end -}}

{{- define "sensorscore.checkNamespaces" -}}
{{- range .Values.scoringNamespaces -}}
{{- if and $.Values.watchNamespaces (not (has . $.Values.watchNamespaces)) -}}
{{- fail (printf "scoringNamespaces: %q is not in watchNamespaces, no run there would be seen" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
