{{/* The schedules as the operator's settings tell them, as JSON: its metrics know them before their first run. */}}
{{- define "sensorscore.scheduleSettings" -}}
{{- $found := list -}}
{{- range $name, $schedule := .Values.schedules -}}
{{- include "sensorscore.checkSchedule" (dict "name" $name "schedule" $schedule "Values" $.Values) -}}
{{- $window := dict "windowSeconds" ($schedule.windowSeconds | default 3600) "settleSeconds" ($schedule.settleSeconds | default 0) -}}
{{- $names := dict "name" $name "namespace" $schedule.namespace "suspended" ($schedule.suspend | default false) -}}
{{- with $schedule.startFrom -}}
{{- $_ := set $names "startFrom" . -}}
{{- end -}}
{{- $found = append $found (merge $names $window) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* What one schedule's pod is told. Takes {name, schedule}. */}}
{{- define "sensorscore.scheduleFile" -}}
{{- $keys := pick .schedule "namespace" "windowSeconds" "offsetSeconds" "settleSeconds" "catchUp" "run" -}}
{{- $told := merge (dict "name" .name) (deepCopy $keys) -}}
{{- with .schedule.rescore -}}
{{- $_ := set $told "rescore" (dict "horizonSeconds" (.horizonSeconds | default 86400) "maxPerHour" (.maxPerHour | default 6)) -}}
{{- end -}}
{{ toYaml $told }}
{{- with .schedule.startFrom }}
startFrom: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* What the schema cannot say of a schedule. Takes {name, schedule, Values}. */}}
{{- define "sensorscore.checkSchedule" -}}
{{- $path := printf "schedules.%s" .name -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,29}[a-z0-9])?$" .name) -}}
{{- fail (printf "%s: %q is not a schedule's name; give at most 31 lower-case letters, digits and -: it is part of a CronJob's" $path .name) -}}
{{- end -}}
{{- $watched := .Values.watchNamespaces -}}
{{- if and $watched (not (has .schedule.namespace $watched)) -}}
{{- fail (printf "%s.namespace: %q is not in watchNamespaces, no run there would be seen" $path .schedule.namespace) -}}
{{- end -}}
{{- if and (not .schedule.cron) (ne (int (.schedule.windowSeconds | default 3600)) 3600) -}}
{{- fail (printf "%s.cron: is missing; without windowSeconds it is \"5 * * * *\", with it say when its windows are to be scored" $path) -}}
{{- end -}}
{{- $sources := pick .schedule.run.sensors "names" "configMapRef" "table" "discover" -}}
{{- if or (ne (len $sources) 1) (hasKey .schedule.run.sensors "failedOf") -}}
{{- fail (printf "%s.run.sensors: found %s; give one of names, configMapRef, table and discover" $path (keys .schedule.run.sensors | sortAlpha | join ", " | default "nothing")) -}}
{{- end -}}
{{- $offered := dict "kind" "store" "path" $path "schedule" .schedule -}}
{{- include "sensorscore.checkOffered" (merge $offered (dict "wanted" (.schedule.run.store | default "default") "all" .Values.stores)) -}}
{{- $offered = dict "kind" "runtime" "path" $path "schedule" .schedule -}}
{{- include "sensorscore.checkOffered" (merge $offered (dict "wanted" (.schedule.run.runtime | default "default") "all" .Values.runtimes)) -}}
{{- $offered = dict "kind" "sink" "path" $path "schedule" .schedule -}}
{{- range .schedule.run.sinks -}}
{{- include "sensorscore.checkOffered" (merge (dict "wanted" . "all" $.Values.sinks) $offered) -}}
{{- end -}}
{{- if .schedule.rescore -}}
{{- include "sensorscore.checkRescore" . -}}
{{- end -}}
{{- $missed := int (dig "catchUp" "priority" -100 .schedule) -}}
{{- $live := int (dig "run" "priority" 0 .schedule) -}}
{{- if ge $missed $live -}}
{{- fail (printf "%s.catchUp.priority: %d is not less than run.priority, %d: the window just ended goes before those that were missed" $path $missed $live) -}}
{{- end -}}
{{- if and (eq (dig "run" "concurrencyPolicy" "Queue" .schedule) "Forbid") (ne (int (dig "catchUp" "maxWindows" 24 .schedule)) 0) -}}
{{- fail (printf "%s.run.concurrencyPolicy: \"Forbid\" loses the window just ended while one that was missed is scored; give Queue, or set %s.catchUp.maxWindows: 0" $path $path) -}}
{{- end -}}
{{- $least := min 31536000 (max 3600 (mul 2 (int (.schedule.windowSeconds | default 3600)))) -}}
{{- range $key := list "ttlSecondsAfterFinished" "ttlSecondsAfterFailed" -}}
{{- $ttl := get $.schedule.run $key -}}
{{- if and (hasKey $.schedule.run $key) (lt (int $ttl) (int $least)) -}}
{{- fail (printf "%s.run.%s: %v is less than two windows or an hour, %v: a run that is gone at once is not seen to have been there" $path $key $ttl $least) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Takes {kind, path, schedule, wanted, all}: whether the schedule's runs may name this store or runtime. */}}
{{- define "sensorscore.checkOffered" -}}
{{- $known := keys .all | sortAlpha | join ", " | default "none" -}}
{{- if not (hasKey .all .wanted) -}}
{{- fail (printf "%s.run.%s: there is no %s %q; there is %s" .path .kind .kind .wanted $known) -}}
{{- end -}}
{{- $namespaces := (get .all .wanted).namespaces -}}
{{- if and $namespaces (not (has .schedule.namespace $namespaces)) -}}
{{- fail (printf "%s.run.%s: %ss.%s.namespaces has no %q, every run would end at once" .path .kind .kind .wanted .schedule.namespace) -}}
{{- end -}}
{{- end -}}

{{/* Labels of a schedule's objects. Takes {name, root}; with an empty name those of what schedules share. */}}
{{- define "sensorscore.scheduleLabels" -}}
{{ include "sensorscore.schedulerSelectorLabels" .root }}
{{ include "sensorscore.releaseLabels" .root }}
{{- with .name }}
sensorscore.dev/schedule: {{ . | quote }}
{{- end }}
{{- end -}}
