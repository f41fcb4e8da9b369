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

{{/* Ports of ingest's store, and of Entra ID where it signs in there, as JSON. */}}
{{- define "sensorscore.ingestPorts" -}}
{{- $ports := include "sensorscore.portsOfStore" (include "sensorscore.ingestStore" . | fromJson) | fromJsonArray -}}
{{- if .Values.ingest.hub.workloadIdentity -}}
{{- $ports = append $ports "443" -}}
{{- end -}}
{{- $ports | uniq | sortAlpha | toJson -}}
{{- end -}}
