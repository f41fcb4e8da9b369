{{/* What the operator may do in each namespace that it watches: what it does, and no more. It reads no Secret. */}}
{{- define "sensorscore.rules" -}}
# Deletes those whose ttlSecondsAfterFinished is over.
- apiGroups: [sensorscore.dev]
  resources: [scoringruns]
  verbs: [get, list, watch, delete]
- apiGroups: [sensorscore.dev]
  resources: [scoringruns/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
# Reads how they ended; the Job controller makes and removes them.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# Gets the list of sensors that a run names, makes the run's own fixed copy of it, and pins what was decided.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create]
# Tells a run's steps, and lists those of a Job that gets no pod, to say why.
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
{{- end -}}
