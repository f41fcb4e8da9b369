{{/*
The operator's settings file, made from the values. What a schema cannot say about the values is refused here, in a sentence.
*/}}
{{- define "sensorscore.settings" -}}
{{- include "sensorscore.checkNamespaces" . -}}
{{- include "sensorscore.checkResources" (dict "path" "stages.resources" "resources" .Values.stages.resources) -}}
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
{{- $settings := merge $pull (omit (deepCopy $runtime) "image") -}}
{{- if not $settings.priorityClassName -}}
{{- $_ := set $settings "priorityClassName" (include "sensorscore.scoringPriorityClass" $) -}}
{{- end -}}
{{- $_ := set $runtimes $name $settings -}}
{{- end -}}
{{- range $name, $sink := .Values.sinks -}}
{{- include "sensorscore.checkSink" (dict "name" $name "sink" $sink "watchNamespaces" $.Values.watchNamespaces) -}}
{{- end -}}
namespaces: {{ toJson .Values.watchNamespaces }}
{{- with .Values.sinks }}
sinks:
{{ toYaml . | indent 2 }}
{{- end }}
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
budgetPerDay: {{ toJson .Values.budgetPerDay }}
schedules: {{ include "sensorscore.scheduleSettings" . }}
knownNamespaces: {{ include "sensorscore.scoringNamespaces" . }}
limits:
{{ toYaml .Values.limits | indent 2 }}
lease:
  namespace: {{ .Release.Namespace | quote }}
  name: {{ include "sensorscore.fullname" . | quote }}
http:
  port: 8080
{{- end -}}

{{/* Takes {name, store, watchNamespaces}. */}}
{{- define "sensorscore.checkStore" -}}
{{- $path := printf "stores.%s" .name -}}
{{- if .store.volume -}}
{{- range list "url" "endpoint" "allowHttp" "workloadIdentity" "connectionStringSecret" "connectionStringFile" -}}
{{- if hasKey $.store . -}}
{{- fail (printf "%s.%s: the store is a volume, and needs no such key; give %s.volume or %s.url" $path . $path $path) -}}
{{- end -}}
{{- end -}}
{{- range splitList "/" (.store.volume.path | default "") -}}
{{- if has . (list "." "..") -}}
{{- fail (printf "%s.volume.path: %q holds . or ..; give a folder below the volume's root" $path $.store.volume.path) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- include "sensorscore.checkAzureStore" . -}}
{{- end -}}
{{- range .store.namespaces -}}
{{- if and $.watchNamespaces (not (has . $.watchNamespaces)) -}}
{{- fail (printf "%s.namespaces: %q is not in watchNamespaces, no run there would be seen" $path .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sensorscore.checkAzureStore" -}}
{{- $path := printf "stores.%s" .name -}}
{{- if not (hasKey .store "url") -}}
{{- fail (printf "%s: it is nowhere; give %s.url, azure://ACCOUNT/CONTAINER, or %s.volume" $path $path $path) -}}
{{- end -}}
{{- if not (regexMatch "^azure://[a-z0-9]{3,24}/[a-z0-9]([a-z0-9-]*[a-z0-9])?(/[^/ ]+)*$" .store.url) -}}
{{- fail (printf "%s.url: %q is not azure://ACCOUNT/CONTAINER or azure://ACCOUNT/CONTAINER/PREFIX" $path .store.url) -}}
{{- end -}}
{{- $ways := list -}}
{{- range list "workloadIdentity" "connectionStringSecret" "connectionStringFile" -}}
{{- if index $.store . -}}
{{- $ways = append $ways . -}}
{{- end -}}
{{- end -}}
{{- if gt (len $ways) 1 -}}
{{- fail (printf "%s: %s are %s ways to sign in; give one" $path (join " and " $ways) (ternary "two" "three" (eq (len $ways) 2))) -}}
{{- end -}}
{{- if not $ways -}}
{{- fail (printf "%s: no way to sign in; set workloadIdentity: true, or name a Secret in connectionStringSecret or connectionStringFile" $path) -}}
{{- end -}}
{{- with .store.connectionStringFile -}}
{{- if eq (empty .secret) (empty .secretProviderClass) -}}
{{- fail (printf "%s.connectionStringFile: give one of secret and secretProviderClass" $path) -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "http://" (.store.endpoint | default "")) (not .store.allowHttp) -}}
{{- fail (printf "%s.endpoint: %s is not encrypted; if this is Azurite, set %s.allowHttp: true" $path .store.endpoint $path) -}}
{{- end -}}
{{- end -}}

{{/* What an operator would not start with, or what would never be sent. Takes {name, sink, watchNamespaces}. */}}
{{- define "sensorscore.checkSink" -}}
{{- $path := printf "sinks.%s" .name -}}
{{- $webhook := eq .sink.type "webhook" -}}
{{- range ternary (list "hub" "namespace" "workloadIdentity" "connectionStringSecret" "mode") (list "url" "urlSecret" "format" "headers" "allowHttpHosts") $webhook -}}
{{- if hasKey $.sink . -}}
{{- fail (printf "%s.%s: is not of the type %s" $path . $.sink.type) -}}
{{- end -}}
{{- end -}}
{{- if $webhook -}}
{{- if eq (empty .sink.url) (empty .sink.urlSecret) -}}
{{- fail (printf "%s: give one of url and urlSecret" $path) -}}
{{- end -}}
{{- else -}}
{{- if not .sink.hub -}}
{{- fail (printf "%s.hub: is missing; give the hub's name" $path) -}}
{{- end -}}
{{- $identity := .sink.workloadIdentity | default false -}}
{{- if or (eq $identity (not (empty .sink.connectionStringSecret))) (ne $identity (not (empty .sink.namespace))) -}}
{{- fail (printf "%s: give workloadIdentity: true with namespace, or connectionStringSecret alone" $path) -}}
{{- end -}}
{{- end -}}
{{- range $place, $route := prepend (.sink.routes | default list) .sink -}}
{{- $url := $route.url | default "" -}}
{{- if and (hasPrefix "http://" $url) (not (has (regexReplaceAll ":[0-9]+$" (urlParse $url).host "") ($.sink.allowHttpHosts | default list))) -}}
{{- fail (printf "%s: %s is not encrypted; give https://, or put its host into %s.allowHttpHosts" $path $url $path) -}}
{{- end -}}
{{- end -}}
{{- with .sink.debounce -}}
{{- if gt (int .atLeast) (int .of) -}}
{{- fail (printf "%s.debounce: atLeast is %d, of %d windows; give at most %d" $path (int .atLeast) (int .of) (int .of)) -}}
{{- end -}}
{{- end -}}
{{- range .sink.namespaces -}}
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
{{- include "sensorscore.checkMounts" . -}}
{{- include "sensorscore.checkLabels" (dict "path" (printf "runtimes.%s.podLabels" .name) "labels" .runtime.podLabels) -}}
{{- include "sensorscore.checkResources" (dict "path" (printf "runtimes.%s.resources" .name) "resources" .runtime.resources) -}}
{{- $prefix := dig "template" "envPrefix" "" .runtime -}}
{{- if regexMatch "^(AZURE_|IDENTITY_|MSI_|LD_|PYTHON|KUBERNETES_|SENSORSCORE_|SSL_|HTTP_|HTTPS_|ALL_|NO_)" $prefix -}}
{{- fail (printf "runtimes.%s.template.envPrefix: variables that begin with %q steer the pod itself; give a prefix of your own, such as PARAM_" .name $prefix) -}}
{{- end -}}
{{- if and (ne (.runtime.cpuHourPrice | default "0") "0") (not .currency) -}}
{{- fail (printf "runtimes.%s.cpuHourPrice: has no currency; set currency, such as EUR" .name) -}}
{{- end -}}
{{- end -}}

{{/* Of a runtime's volumes what its pods could not start with. Takes {name, runtime}. */}}
{{- define "sensorscore.checkMounts" -}}
{{- $path := printf "runtimes.%s" .name -}}
{{- $volumes := list -}}
{{- range .runtime.volumes -}}
{{- if has .name $volumes -}}
{{- fail (printf "%s.volumes: %q is there twice" $path .name) -}}
{{- end -}}
{{- if or (has .name (list "tmp" "sensors" "decisions")) (hasPrefix "sensorscore-" .name) -}}
{{- fail (printf "%s.volumes: %q is a volume of Sensorscore's own; choose another name" $path .name) -}}
{{- end -}}
{{- $volumes = append $volumes .name -}}
{{- end -}}
{{- $mounted := list -}}
{{- range $mount := .runtime.volumeMounts -}}
{{- if not (has .name $volumes) -}}
{{- fail (printf "%s.volumeMounts: %q is not in %s.volumes" $path .name $path) -}}
{{- end -}}
{{- if regexMatch "^/(etc|var|opt|(tmp|etc/sensorscore|var/sensorscore|opt/sensorscore|dev|proc|sys)(/.*)?)?/?$" .mountPath -}}
{{- fail (printf "%s.volumeMounts: %s is, or holds, a folder of the container's own; choose another, such as /data" $path .mountPath) -}}
{{- end -}}
{{- range $part := splitList "/" (.subPath | default "x") -}}
{{- if has $part (list "" "." "..") -}}
{{- fail (printf "%s.volumeMounts: subPath %q is not a folder below the volume's root" $path $mount.subPath) -}}
{{- end -}}
{{- end -}}
{{- $mounted = append $mounted .name -}}
{{- end -}}
{{- range $volumes -}}
{{- if not (has . $mounted) -}}
{{- fail (printf "%s.volumes: %q is in no %s.volumeMounts" $path . $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sensorscore.checkNamespaces" -}}
{{- if and (not (regexMatch "^0+([.]0+)?$" .Values.budgetPerDay)) (not .Values.currency) -}}
{{- fail "budgetPerDay: has no currency; set currency, such as EUR" -}}
{{- end -}}
{{- range .Values.scoringNamespaces -}}
{{- if and $.Values.watchNamespaces (not (has . $.Values.watchNamespaces)) -}}
{{- fail (printf "scoringNamespaces: %q is not in watchNamespaces, no run there would be seen" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
