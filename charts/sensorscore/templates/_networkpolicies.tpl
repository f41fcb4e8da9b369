{{/* Egress to the cluster's DNS: wherever it is, since a node's own cache is no pod. */}}
{{- define "sensorscore.egressDns" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{/* Egress to ports at addresses, with the nodes' metadata service left out. Takes {ports, cidrs}. */}}
{{- define "sensorscore.egressPorts" -}}
- ports:
    {{- range .ports }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
  to:
    {{- range .cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- else }}
    - ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}
    - ipBlock: {cidr: "::/0"}
    {{- end }}
{{- end -}}

{{- define "sensorscore.egressApiServer" -}}
{{- include "sensorscore.egressPorts" (dict "ports" .Values.networkPolicy.apiServer.ports "cidrs" .Values.networkPolicy.apiServer.cidrs) -}}
{{- end -}}

{{/* Ports of a store, and of Entra ID where it signs in there, as JSON. Takes the store. */}}
{{- define "sensorscore.portsOfStore" -}}
{{- $port := "443" -}}
{{- with .endpoint -}}
{{- $port = ternary "80" "443" (hasPrefix "http://" .) -}}
{{- $host := (urlParse .).host -}}
{{- if regexMatch ":[0-9]+$" $host -}}
{{- $port = regexFind "[0-9]+$" $host -}}
{{- end -}}
{{- end -}}
{{- ternary (list $port "443") (list $port) (.workloadIdentity | default false) | toJson -}}
{{- end -}}

{{/* Ports of the stores that runs of a namespace may use, as JSON. Takes {root, namespace}. */}}
{{- define "sensorscore.storePorts" -}}
{{- $ports := list -}}
{{- range $name, $store := .root.Values.stores -}}
{{- if and (not $store.volume) (or (not $store.namespaces) (has $.namespace $store.namespaces)) -}}
{{- $ports = concat $ports (include "sensorscore.portsOfStore" $store | fromJsonArray) -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* Ports of the sinks that runs of a namespace may use, as JSON: 443 where only a Secret knows. Takes {root, namespace}. */}}
{{- define "sensorscore.sinkPorts" -}}
{{- $ports := list -}}
{{- range $name, $sink := .root.Values.sinks -}}
{{- if or (not $sink.namespaces) (has $.namespace $sink.namespaces) -}}
{{- if eq $sink.type "eventHub" -}}
{{- $ports = concat $ports (ternary (list "443" "5671") (list "5671") ($sink.workloadIdentity | default false)) -}}
{{- else -}}
{{- range $place := prepend ($sink.routes | default list) $sink -}}
{{- $url := $place.url | default "https://by.secret/" -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" (urlParse $url).host) -}}
{{- $ports = append $ports ($port | default (ternary "80" "443" (hasPrefix "http://" $url))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* Ports of the stores in which schedules look for corrected hours, by namespace, as JSON. */}}
{{- define "sensorscore.rescorePorts" -}}
{{- $found := dict -}}
{{- range $name, $schedule := (.Values.schedules | default dict) -}}
{{- $store := get $.Values.stores ($schedule.run.store | default "default") -}}
{{- if and $schedule.rescore (not $store.volume) -}}
{{- $ports := include "sensorscore.portsOfStore" $store | fromJsonArray -}}
{{- $_ := set $found $schedule.namespace (concat (get $found $schedule.namespace | default list) $ports | uniq | sortAlpha) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Ports of ingest's store, and of Entra ID where it signs in there, as JSON. */}}
{{- define "sensorscore.ingestPorts" -}}
{{- $ports := include "sensorscore.portsOfStore" (include "sensorscore.ingestStore" . | fromJson) | fromJsonArray -}}
{{- if .Values.ingest.hub.workloadIdentity -}}
{{- $ports = append $ports "443" -}}
{{- end -}}
{{- $ports | uniq | sortAlpha | toJson -}}
{{- end -}}
